package system

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sallyport.dev/sallyport/test/cluster"
)

// The programs tell which build they are where their other metrics are.
func TestMetricsTellTheBuild(t *testing.T) {
	w := newRunningWorld(t)
	want := fmt.Sprintf(`sallyport_build_info{goversion=%q,revision="unknown",version="(devel)"} 1`, runtime.Version())
	for program, url := range map[string]string{"manager": manager.MetricsURL, "receiver": w.receiver.AdminURL} {
		page, err := cluster.Get(w.ctx, url+"/metrics")
		w.must(err)
		if !strings.Contains(page.Body, want+"\n") {
			t.Errorf("the metrics of the %s lack %s", program, want)
		}
	}
}
