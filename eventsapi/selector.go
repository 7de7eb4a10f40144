package eventsapi

import (
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/selection"
)

// The fields by which something can be selected.
const (
	fieldName     = "metadata.name"
	fieldEndpoint = "spec.endpoint"
	fieldType     = "spec.type"
	fieldEventID  = "spec.eventID"
	fieldState    = "status.state"

	fieldRecordEndpoint = "endpoint"
	fieldRecordStatus   = "processingStatus"
	fieldRecordEventID  = "eventID"
)

// selector says which value a field must have; a field that is not in it may have any.
type selector map[string]string

// parseSelector reads a field selector. Only "field=value" is understood, and the
// error names the fields that there are: one that is not understood must never mean
// everything.
func parseSelector(text string, known ...string) (selector, error) {
	parsed, err := fields.ParseSelector(text)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the field selector can't be read: %v", err))
	}
	known = append([]string{fieldName}, known...)
	s := selector{}
	for _, r := range parsed.Requirements() {
		if !slices.Contains(known, r.Field) {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("there is no field selector %q: there are %s", r.Field, strings.Join(known, ", ")))
		}
		if r.Operator != selection.Equals && r.Operator != selection.DoubleEquals {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("the field selector %s knows %s=value only", r.Field, r.Field))
		}
		if before, twice := s[r.Field]; twice && before != r.Value {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("the field selector %s is given twice", r.Field))
		}
		s[r.Field] = r.Value
	}
	return s, nil
}

// allows reports whether a field may have a value.
func (s selector) allows(field, value string) bool {
	want, ok := s[field]
	return !ok || want == value
}
