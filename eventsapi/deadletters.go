package eventsapi

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/store"
)

// deadBudget is how long one list looks for dead letters. What it has found by then
// is its page.
const deadBudget = 5 * time.Second

// position is where a list of dead letters goes on.
type position struct {
	endpoint string // the first that is not done
	next     string // of the store
}

// String is what parsePosition reads. Neither part has a blank in it.
func (p position) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.endpoint + " " + p.next))
}

func parsePosition(text string) (position, error) {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	endpoint, next, found := strings.Cut(string(decoded), " ")
	if text != "" && (err != nil || !found) {
		return position{}, apierrors.NewBadRequest("the continue token can't be read: list from the beginning")
	}
	return position{endpoint, next}, nil
}

// listDeadLetters lists a page of the events that have dead letters.
func (a *api) listDeadLetters(ctx context.Context, q *query, w *wanted, limit int, list *eventsv1alpha1.WebhookEventList) error {
	at, err := parsePosition(q.values.Get("continue"))
	if err != nil {
		return err
	}
	refs, err := a.refs(ctx, q.info.Namespace, w.selector[fieldEndpoint])
	if err != nil {
		return err
	}
	// A token says where to go on and not what to look at: that is up to refs.
	refs = slices.DeleteFunc(refs, func(r endpointRef) bool { return r.String() < at.endpoint })
	for began := time.Now(); len(refs) > 0; {
		endpoint := refs[0].String()
		if endpoint != at.endpoint {
			at = position{endpoint: endpoint}
		}
		if len(list.Items) >= limit || time.Since(began) > deadBudget {
			list.Continue = at.String()
			return nil
		}
		page, err := a.Store.DeadLetters(ctx, store.DeadQuery{
			Endpoint: endpoint, Types: w.patterns, IDs: w.ids(), Limit: limit - len(list.Items), Continue: at.next,
		})
		if err != nil {
			return storeError(ctx, err)
		}
		events, err := a.eventsOf(ctx, page.Letters)
		if err != nil {
			return storeError(ctx, err)
		}
		list.Items = append(list.Items, events...)
		if at.next = page.Continue; at.next == "" {
			refs = refs[1:]
		}
	}
	return nil
}

// eventsOf makes events of dead letters. Of those of one event, which may be on
// several pages, only one stands for it: the first that was given up.
func (a *api) eventsOf(ctx context.Context, letters []store.DeadLetter) ([]eventsv1alpha1.WebhookEvent, error) {
	if len(letters) == 0 {
		return nil, nil
	}
	var names []string
	for i := range letters {
		if !slices.Contains(names, letters[i].Name) {
			names = append(names, letters[i].Name)
		}
	}
	infos, err := a.lookup(ctx, names)
	if err != nil {
		return nil, err
	}
	var events []eventsv1alpha1.WebhookEvent
	for i := range letters {
		info := infos[letters[i].Name]
		if info == nil || info.Delivered {
			continue // revived meanwhile
		}
		if first := firstDead(info.Deliveries); first != nil && first.Target == letters[i].Target {
			events = append(events, eventOf(info))
		}
	}
	return events, nil
}

// firstDead is the delivery that was given up first; nil: none was.
func firstDead(deliveries []store.DeliveryInfo) *store.DeliveryInfo {
	dead := slices.DeleteFunc(slices.Clone(deliveries), func(d store.DeliveryInfo) bool { return d.State != store.DeadLettered })
	if len(dead) == 0 {
		return nil
	}
	first := slices.MinFunc(dead, func(a, b store.DeliveryInfo) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Target, b.Target))
	})
	return &first
}
