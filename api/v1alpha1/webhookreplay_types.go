package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// WebhookReplay delivers dead letters of an endpoint again, once. When it is
// complete it is a record of what was done, and does nothing any more: applying it
// again changes nothing, and another replay is another object.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=whr,categories=sallyport
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.spec.endpointRef.name`
// +kubebuilder:printcolumn:name="Complete",type=string,JSONPath=`.status.conditions[?(@.type=="Complete")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Complete")].reason`
// +kubebuilder:printcolumn:name="Matched",type=integer,JSONPath=`.status.matched`
// +kubebuilder:printcolumn:name="Replayed",type=integer,JSONPath=`.status.replayed`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.failed`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Complete")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type WebhookReplay struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what to deliver again. It can't be changed.
	// +required
	Spec WebhookReplaySpec `json:"spec"`
	// status is how far it has come. Until the manager has seen the replay, its
	// observedGeneration is -1, so that kstatus does not take it for complete.
	// +optional
	// +default={"observedGeneration":-1}
	Status WebhookReplayStatus `json:"status,omitzero"`
}

// WebhookReplaySpec says what to deliver again.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec of a WebhookReplay can't be changed, because it runs once: create another WebhookReplay"
type WebhookReplaySpec struct {
	// endpointRef names the WebhookEndpoint in the same namespace.
	// +required
	EndpointRef EndpointReference `json:"endpointRef"`
	// selector says which events are meant; without it, all dead letters of the
	// endpoint. What becomes a dead letter after the replay has started is not meant, so
	// that one replay delivers nothing twice.
	// +optional
	Selector *ReplaySelector `json:"selector,omitempty"`
}

// EndpointReference names a WebhookEndpoint in the same namespace.
type EndpointReference struct {
	// name of the WebhookEndpoint.
	// +required
	// +kubebuilder:validation:MaxLength=55
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="endpointRef.name must be the name of a WebhookEndpoint in the same namespace"
	Name string `json:"name"`
}

// ReplayState is the state of the deliveries that are meant.
// +kubebuilder:validation:Enum=DeadLettered
type ReplayState string

// ReplayDeadLettered is for deliveries that were given up. What was delivered is not kept,
// and what waits is delivered anyway.
const ReplayDeadLettered ReplayState = "DeadLettered"

// ReplaySelector says which events are meant; all that is given must hold.
//
// +kubebuilder:validation:XValidation:rule="!has(self.since) || !has(self.until) || self.since < self.until",message="selector.since must be before selector.until"
type ReplaySelector struct {
	// state of the deliveries: DeadLettered, the only one there is.
	// +optional
	// +default="DeadLettered"
	State ReplayState `json:"state,omitempty"`
	// since bounds when the event was received: at or after it.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// until bounds when the event was received: before it.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
	// types are patterns of the event type, of which one must fit. A "*" stands for any
	// characters.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule="size(bytes(self)) <= 256",message="selector.types must not be longer than 256 bytes"
	Types []string `json:"types,omitempty"`
	// eventIDs are the ids of the events, as the provider gave them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	EventIDs []string `json:"eventIDs,omitempty"`
	// limit is the most deliveries to make again; no limit by default. Which come
	// first is not said.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Limit *int64 `json:"limit,omitempty"`
}

// WebhookReplayStatus is how far a replay has come.
type WebhookReplayStatus struct {
	// observedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// startTime is when the first dead letters were looked for, by the clock of Redis.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// completionTime is when the replay was over. From then on it does nothing any more.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// matched counts the dead letters that the selector meant, so far. What a manager
	// did in its last second before a crash is missing here and in the other counts.
	// +optional
	Matched int64 `json:"matched"`
	// replayed counts those that were handed to the receivers again. What their
	// targets answer is told by the audit log, and by dead letters anew.
	// +optional
	Replayed int64 `json:"replayed"`
	// failed counts those that could not be: their record can't be read, or somebody
	// else revived or removed them meanwhile.
	// +optional
	Failed int64 `json:"failed"`
	// cursor is where an interrupted replay goes on; it means nothing to others.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Cursor string `json:"cursor,omitempty"`
	// conditions are Complete (all that was meant is handed over), Reconciling (it is
	// not over yet) and Stalled (it can't go on until somebody does something).
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`
}

// WebhookReplayList is a list of WebhookReplay.
//
// +kubebuilder:object:root=true
type WebhookReplayList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WebhookReplay `json:"items"`
}
