package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

// webhook is one that is sent, and what is to come of it.
type webhook struct {
	title    string
	endpoint types.NamespacedName
	url      string
	header   http.Header
	body     []byte

	status    int            // of the answer
	says      string         // in the answer's body
	outcomes  []audit.Status // in the audit log and as Kubernetes Events
	delivered string         // the path at which the target gets it; empty: it gets nothing
	eventID   string
	eventType string
}

// The bodies are short forms of real ones.
const (
	pushBody    = `{"ref":"refs/heads/main","repository":{"full_name":"acme/shop"},"head_commit":{"message":"Sell more"}}`
	forgedBody  = `{"ref":"refs/heads/main","repository":{"full_name":"acme/shop"},"head_commit":{"message":"Sell all!"}}`
	invoiceBody = `{"id":"evt_1SallyportDemo","object":"event","type":"invoice.paid","data":{"object":{"amount_paid":4200,"currency":"eur"}}}`
	pushID      = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
	forgedID    = "99999999-cc78-11e3-81ab-4c9367dc0958"
)

// webhooks are what the demo sends, in order. Nothing of the receiver's code takes
// part in signing.
func (d *demo) webhooks(ctx context.Context) ([]webhook, error) {
	githubURL, githubSecret, err := d.sample(ctx, githubSample)
	if err != nil {
		return nil, fmt.Errorf("read the GitHub sample: %w", err)
	}
	stripeURL, stripeSecret, err := d.sample(ctx, stripeSample)
	if err != nil {
		return nil, fmt.Errorf("read the Stripe sample: %w", err)
	}
	push := webhook{
		title: "A push, signed by GitHub", endpoint: githubSample, url: githubURL,
		header: cluster.GitHub(githubSecret, "push", pushID, []byte(pushBody)), body: []byte(pushBody),
		status: http.StatusOK, says: `"status":"accepted"`, outcomes: []audit.Status{audit.Accepted, audit.Delivered},
		delivered: "/webhooks/github", eventID: pushID, eventType: "push",
	}
	invoice := webhook{
		title: "A paid invoice, signed by Stripe", endpoint: stripeSample, url: stripeURL,
		header: cluster.Stripe(stripeSecret, time.Now(), []byte(invoiceBody)), body: []byte(invoiceBody),
		status: http.StatusOK, says: `"status":"accepted"`, outcomes: []audit.Status{audit.Accepted, audit.Delivered},
		delivered: "/webhooks/stripe", eventID: "evt_1SallyportDemo", eventType: "invoice.paid",
	}
	duplicate := push
	duplicate.title = "The same push once more"
	duplicate.says, duplicate.outcomes, duplicate.delivered = `"status":"duplicate"`, []audit.Status{audit.Duplicate}, ""

	forgery := push
	forgery.title = "A forgery: another body under the signature of the push"
	forgery.header, forgery.body = push.header.Clone(), []byte(forgedBody)
	forgery.header.Set("X-GitHub-Delivery", forgedID)
	forgery.status, forgery.says, forgery.outcomes, forgery.delivered = http.StatusUnauthorized, "", []audit.Status{audit.Rejected}, ""
	return []webhook{push, invoice, duplicate, forgery}, nil
}
