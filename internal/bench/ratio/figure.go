package ratio

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// A Figure holds a promise that is not a ratio of two pieces of code: what
// Measure returns is at most Limit.
type Figure struct {
	Name    string
	Limit   float64 // 0: reported, not judged
	Measure func() float64
}

type measurement struct {
	figure Figure
	value  float64
}

func measure(f Figure) measurement { return measurement{f, f.Measure()} }

// kept reports whether the promise held. What is not a number is no promise kept.
func kept(m measurement) bool { return m.figure.Limit == 0 || m.value <= m.figure.Limit }

// ReportFigures is Report for figures.
func ReportFigures(w io.Writer, figures []Figure) bool {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "figure\tmeasured\tat most\t")
	var missed []string
	measured := attempts(figures, measure, kept)
	for i, f := range figures {
		v := measured[i].value
		limit, verdict := "-", ""
		if f.Limit > 0 {
			limit = fmt.Sprintf("%.2f", f.Limit)
		}
		if !kept(measured[i]) {
			verdict = "MISSED"
			missed = append(missed, f.Name)
		}
		fmt.Fprintf(tw, "%s\t%.2f\t%s\t%s\n", f.Name, v, limit, verdict)
	}
	_ = tw.Flush() // as in Report
	if len(missed) > 0 {
		fmt.Fprintln(w, "missed:", strings.Join(missed, "; "))
	}
	return len(missed) == 0
}
