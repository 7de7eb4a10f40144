package main

import (
	"context"
	"fmt"
	"os/exec"

	"sallyport.dev/sallyport/receiver/audit"
)

// printCommands prints what to try next. Every line works as it is, in any
// folder and any POSIX shell.
func (d *demo) printCommands(ctx context.Context) error {
	url, secret, err := d.sample(ctx, githubSample)
	if err != nil {
		return err
	}
	kubectl := d.cluster.Kubectl + " --kubeconfig " + d.cluster.Kubeconfig
	d.out.heading(fmt.Sprintf("Up and running after %s. Go on in another terminal, Ctrl-C here ends it.", d.out.elapsed()))
	for _, tool := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			d.out.line("%s", d.out.paint(dim, "# some of this needs "+tool+", which is not installed here"))
		}
	}
	for _, command := range []struct{ purpose, line string }{
		{"the endpoints, what is known of one, and its Events", kubectl + " get whe -n shop -o wide"},
		{"", kubectl + " describe whe github -n shop"},
		{"", kubectl + " get events.events.k8s.io -n shop"},
		{"send a GitHub webhook, signed on the spot (each run is a new event)", signedCurl(url, secret)},
		{"send a forgery", "curl -sS -i " + url + ` -H 'X-GitHub-Event: ping' -H 'X-GitHub-Delivery: forged' -H 'X-Hub-Signature-256: sha256=` + fmt.Sprintf("%064x", 0xbad) + `' -d '{}'`},
		{"what has come, and what becomes of it (kubectl hooks)", d.pluginCommand("events", "-n", "shop", "github")},
		{"", d.pluginCommand("send", "-n", "shop", "stripe")},
		{"", d.pluginCommand("stats", "-n", "shop")},
		{"", d.pluginCommand("tail", "-n", "shop")},
		{"all fields of the audit log, and the metrics", "cat " + d.receiver.AuditPath},
		{"", "curl -sS " + d.receiver.AdminURL + "/metrics | grep ^sallyport_"},
	} {
		if command.purpose != "" {
			d.out.line("%s", d.out.paint(dim, "# "+command.purpose))
		}
		d.out.line("%s", command.line)
	}
	d.out.heading("\nWhat happens from now on:")
	return nil
}

// signedCurl is a command that computes the signature as GitHub does, with the
// secret as the cluster has it.
func signedCurl(url, secret string) string {
	return `body='{"zen":"Design for failure."}'; curl -sS ` + url +
		` -H 'Content-Type: application/json' -H 'X-GitHub-Event: ping' -H "X-GitHub-Delivery: $(openssl rand -hex 8)"` +
		` -H "X-Hub-Signature-256: sha256=$(printf %s "$body" | openssl dgst -sha256 -hmac '` + secret + `' | sed 's/.* //')" -d "$body"`
}

// follow prints outcomes as they come, until ctx ends or a program does.
func (d *demo) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, process := range d.programs() {
		go func() {
			select {
			case <-process.Exited():
				cancel(fmt.Errorf("the %s has ended by itself", process.Name))
			case <-ctx.Done():
			}
		}()
	}
	for n := len(d.receiver.Audit.All()); ; n++ {
		records, err := d.receiver.Audit.AwaitN(ctx, n+1, func(audit.Record) bool { return true })
		if err != nil {
			return context.Cause(ctx)
		}
		d.out.line("  %s", summary(records[n]))
	}
}
