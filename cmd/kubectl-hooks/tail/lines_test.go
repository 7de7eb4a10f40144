package tail

import (
	"bytes"
	"strings"
	"testing"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

func TestLinesAreAlignedAndColoured(t *testing.T) {
	var out bytes.Buffer
	l := &Lines{W: &out, Color: true, Endpoints: true}
	for _, r := range []eventsv1alpha1.WebhookRecord{
		{ProcessingStatus: "retry_scheduled", EventID: "evt_long_one"},
		{ProcessingStatus: "delivered", EventID: "注文\x1b[2J"},
	} {
		r.Endpoint, r.EventType, r.Attempt, r.StatusCode, r.ErrorMessage = "stripe", "invoice.paid", 1, 200, "why"
		if err := l.Print(&r); err != nil {
			t.Fatal(err)
		}
	}
	first, second, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(first, colorYellow+"retry_scheduled"+colorEnd) || !strings.Contains(second, colorGreen+"delivered"+colorEnd) || !strings.Contains(second, "注文\ufffd[2J") {
		t.Errorf("the lines are %q and %q", first, second)
	}
	plain := strings.NewReplacer(colorYellow, "", colorGreen, "", colorEnd, "")
	first, second = plain.Replace(first), plain.Replace(second)
	cells := func(line string) int { return human.Width(line[:strings.Index(line, "#1")]) }
	if cells(first) != cells(second) {
		t.Errorf("the lines are not aligned:\n%s\n%s", first, second)
	}
}
