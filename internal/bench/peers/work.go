package main

// mustBeNil panics if there is an error: what is refused has not been measured.
func mustBeNil(err error) {
	if err != nil {
		panic(err)
	}
}

// granting is each for what answers yes.
func granting(texts []string, f func(text string) bool) func(n int) {
	return func(n int) {
		for i := range n {
			if !f(texts[i%len(texts)]) {
				panic(texts[i%len(texts)])
			}
		}
	}
}

// each returns work that goes through the texts again and again.
func each(texts []string, f func(text string) error) func(n int) {
	return func(n int) {
		for i := range n {
			mustBeNil(f(texts[i%len(texts)]))
		}
	}
}
