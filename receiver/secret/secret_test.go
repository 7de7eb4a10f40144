package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestValueNeverPrintsItself(t *testing.T) {
	v := New([]byte("hunter2"))
	holder := struct {
		Key  Value
		Keys []Value
	}{v, []Value{v}}
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", v, "holder", holder)
	outputs := []string{string(asJSON), log.String(), v.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T%v"} {
		outputs = append(outputs, fmt.Sprintf(verb, v), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, &holder))
	}
	for _, out := range outputs {
		if strings.Contains(out, "hunter2") || strings.Contains(out, "68756e74657232") || strings.Contains(out, "104 117") {
			t.Errorf("the value shows in %q", out)
		}
	}
}

func TestValueIsACopy(t *testing.T) {
	b := []byte("abc")
	v := New(b)
	b[0] = 'x'
	if !v.Equal([]byte("abc")) || v.Equal(b) || v.Empty() || !(Value{}).Empty() {
		t.Errorf("Value changed with the slice that it was made of")
	}
}
