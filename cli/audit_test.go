package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"driftless/benchmarks"
)

// TestAudit: the table, the words and the JSON name the statistic of a naive arm, and find
// nothing of an arm in the graph; finding something is no failure.
func TestAudit(t *testing.T) {
	args := []string{"audit", "--data", "synthetic", "--hidden", "8,6", "--norms", "center:naive,batchnorm", "--steps"}
	table, words := call(t, append(args, "0")...), call(t, append(args, "3", "--explain")...)
	for _, o := range []output{table, words} {
		want(t, o, 0)
		for _, part := range []string{"fc2.bias", "norm2.mean", "othing is wasted", "1 of 2 arms"} {
			if !strings.Contains(o.out, part) {
				t.Errorf("the output lacks %q:\n%s", part, o.out)
			}
		}
	}
	o := call(t, append(args, "3", "--json")...)
	want(t, o, 0)
	var r benchmarks.AuditResult
	if err := json.Unmarshal([]byte(o.out), &r); err != nil {
		t.Fatalf("%v: %s", err, o.out)
	}
	if r.Steps != 3 || len(r.Arms) != 2 || len(r.Arms[0].Findings) == 0 || len(r.Arms[1].Findings) != 0 {
		t.Errorf("the JSON has %+v", r)
	}
	if strings.Contains(o.out, "null") {
		t.Errorf("the JSON holds null: %s", o.out)
	}
}
