package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What somebody else wrote into a route Secret must never count as a secret that
// was valid before.
func TestOurs(t *testing.T) {
	fields := func(manager string, operation metav1.ManagedFieldsOperationType, owned string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(owned)}
	}
	const (
		apply, update = metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
		whole         = `{"f:data":{"f:key-0":{},"f:route.json":{}},"f:type":{}}`
		less          = `{"f:data":{"f:route.json":{}}}`
		key           = `{"f:data":{".":{},"f:key-0":{}}}`
		label         = `{"f:metadata":{"f:labels":{"f:data":{}}}}`
	)
	for name, c := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   bool
	}{
		"as the manager wrote it":           {[]metav1.ManagedFieldsEntry{fields("sallyport-manager", apply, whole)}, true},
		"with a label of somebody":          {[]metav1.ManagedFieldsEntry{fields("kubectl", update, label), fields("sallyport-manager", apply, whole)}, true},
		"with a key of somebody":            {[]metav1.ManagedFieldsEntry{fields("sallyport-manager", apply, less), fields("kubectl", update, key)}, false},
		"written by somebody of our name":   {[]metav1.ManagedFieldsEntry{fields("sallyport-manager", apply, less), fields("sallyport-manager", update, key)}, false},
		"restored by somebody":              {[]metav1.ManagedFieldsEntry{fields("velero", update, whole)}, false},
		"restored, and written again by us": {[]metav1.ManagedFieldsEntry{fields("velero", update, whole), fields("sallyport-manager", apply, whole)}, true},
		"nobody knows":                      {nil, false},
		"nobody understands":                {[]metav1.ManagedFieldsEntry{fields("sallyport-manager", apply, "{")}, false},
	} {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{ManagedFields: c.fields},
			Data:       map[string][]byte{"key-0": []byte("s"), "route.json": []byte("{}")},
		}
		if got := ours(secret); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
