package oauthtest_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
)

// posted returns the form of a request, and puts it back.
func posted(r *http.Request) url.Values {
	body, _ := io.ReadAll(r.Body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	f, _ := url.ParseQuery(string(body))
	return f
}

func record(next http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	next.ServeHTTP(w, r)
	return w
}

func replay(w http.ResponseWriter, status int, header http.Header, body []byte) {
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// useUp refuses a code that somebody has presented before, however wrongly.
func useUp(next http.Handler) http.Handler {
	var mu sync.Mutex
	seen := map[string]bool{}
	return at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		code := posted(r).Get("code")
		mu.Lock()
		known := seen[code] && code != ""
		seen[code] = true
		mu.Unlock()
		if known {
			replay(w, http.StatusBadRequest, nil, []byte(`{"error":"invalid_grant"}`))
			return
		}
		next.ServeHTTP(w, r)
	})(next)
}

// replayCodes answers a code again as it did the first time.
func replayCodes(next http.Handler) http.Handler {
	var mu sync.Mutex
	answered := map[string][]byte{}
	return at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		code := posted(r).Get("code")
		mu.Lock()
		defer mu.Unlock()
		if body := answered[code]; body != nil {
			replay(w, http.StatusOK, nil, body)
			return
		}
		recorder := record(next, r)
		if recorder.Code == http.StatusOK && code != "" {
			answered[code] = recorder.Body.Bytes()
		}
		replay(w, recorder.Code, recorder.Header(), recorder.Body.Bytes())
	})(next)
}

// forgetReuse refuses a code that was used, without asking the server, which
// would revoke what came of it.
func forgetReuse(next http.Handler) http.Handler {
	var mu sync.Mutex
	used := map[string]bool{}
	return at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		code := posted(r).Get("code")
		mu.Lock()
		defer mu.Unlock()
		if used[code] {
			replay(w, http.StatusBadRequest, nil, []byte(`{"error":"invalid_grant"}`))
			return
		}
		recorder := record(next, r)
		used[code] = recorder.Code == http.StatusOK && code != ""
		replay(w, recorder.Code, recorder.Header(), recorder.Body.Bytes())
	})(next)
}

// anybodyRevokes lets public clients revoke the tokens of others: it remembers
// who may, and asks in their name.
func anybodyRevokes(next http.Handler) http.Handler {
	var mu sync.Mutex
	owner := ""
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if strings.HasPrefix(r.Header.Get("Authorization"), "Basic ") {
			owner = r.Header.Get("Authorization")
		}
		basic := owner
		mu.Unlock()
		if r.URL.Path == revokePath && r.Header.Get("Authorization") == "" {
			f := posted(r)
			f.Del("client_id")
			body := f.Encode()
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			r.Header.Set("Authorization", basic)
		}
		next.ServeHTTP(w, r)
	})
}
