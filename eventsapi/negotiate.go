package eventsapi

import (
	"encoding/json"
	"io"

	"github.com/munnerz/goautoneg"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// format is what an answer is written in.
type format struct {
	yaml  bool
	table bool // a Table in place of the objects, for people
}

func (f format) contentType() string {
	if f.yaml {
		return "application/yaml"
	}
	return "application/json"
}

// negotiate chooses the first that the client prefers and we can do; see "API
// concepts" in the documentation of Kubernetes. tables says whether there is a Table
// of what is asked for, streams whether it has no end.
func negotiate(accept string, tables, streams bool) (format, error) {
	if accept == "" {
		return format{}, nil
	}
	for _, clause := range goautoneg.ParseAccept(accept) {
		if f, ok := formatOf(clause); ok && (tables || !f.table) && (!streams || !f.yaml) {
			return f, nil
		}
	}
	return format{}, apierrors.NewGenericServerResponse(406, "", schema.GroupResource{}, "",
		"this API speaks application/json, and application/yaml where there is no watch; lists are also Tables of meta.k8s.io/v1", 0, false)
}

func formatOf(clause goautoneg.Accept) (format, bool) {
	var f format
	switch clause.Type + "/" + clause.SubType {
	case "application/json", "application/*", "*/*":
	case "application/yaml":
		f.yaml = true
	default:
		return f, false
	}
	switch clause.Params["as"] {
	case "":
	case "Table":
		if clause.Params["g"] != metav1.GroupName || clause.Params["v"] != "v1" {
			return f, false
		}
		f.table = true
	default:
		return f, false
	}
	return f, true
}

// encode writes an object.
func (f format) encode(w io.Writer, object any) error {
	if !f.yaml {
		return json.NewEncoder(w).Encode(object)
	}
	text, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
