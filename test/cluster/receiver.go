package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sallyport.dev/sallyport/receiver/audit"
)

// ReceiverOptions configure a receiver.
type ReceiverOptions struct {
	// Name is its identity; a receiver of the same name takes over its Lease.
	Name string
	// RedisURL is where its events are kept.
	RedisURL string
	// Listen and AdminListen are its addresses; empty: any free ones.
	Listen, AdminListen string
	// ConnectTo says where the Services are, which have no DNS here:
	// "namespace/service:port" to "host:port".
	ConnectTo map[string]string
	// Flags are further flags.
	Flags []string
	// NoAuditJournal keeps the audit records in their file only, for runs with
	// more of them than fit into memory.
	NoAuditJournal bool
}

// Receiver is a running receiver.
type Receiver struct {
	*Process
	// URL and AdminURL are the bases of its HTTP servers.
	URL, AdminURL string
	// Audit is what it reports on stdout.
	Audit *Journal[audit.Record]
	// AuditPath is the file that has the same, as it was printed.
	AuditPath string
}

// StartReceiver starts a receiver and waits until it is ready.
func (c *Cluster) StartReceiver(ctx context.Context, o ReceiverOptions) (*Receiver, error) {
	r, err := c.LaunchReceiver(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := r.AwaitReady(ctx); err != nil {
		r.Kill()
		return nil, err
	}
	return r, nil
}

// LaunchReceiver is StartReceiver without the wait.
func (c *Cluster) LaunchReceiver(ctx context.Context, o ReceiverOptions) (*Receiver, error) {
	kubeconfig, err := c.identify("sallyport-receiver")
	if err != nil {
		return nil, err
	}
	if err := addresses(ctx, &o.Listen, &o.AdminListen); err != nil {
		return nil, err
	}
	r := &Receiver{
		URL: "http://" + o.Listen, AdminURL: "http://" + o.AdminListen,
		Audit: NewJournal[audit.Record](), AuditPath: filepath.Join(c.Dir, o.Name+".audit.jsonl"),
	}
	stdout, closeAudit, err := r.readAudit(!o.NoAuditJournal)
	if err != nil {
		return nil, err
	}
	r.Process, err = c.janitor.start(program{
		name: o.Name, path: filepath.Join(c.options.Bin, "receiver"), args: o.flags(kubeconfig),
		env: []string{"POD_NAME=" + o.Name}, stdout: stdout,
	})
	if err != nil {
		closeAudit()
		return nil, err
	}
	go func() { <-r.Exited(); closeAudit() }()
	return r, nil
}

// AwaitReady waits until the receiver says that it can serve.
func (r *Receiver) AwaitReady(ctx context.Context) error {
	return awaitOK(ctx, r.Process, r.AdminURL+"/readyz")
}

func (o ReceiverOptions) flags(kubeconfig string) []string {
	flags := []string{
		"--kubeconfig=" + kubeconfig,
		"--route-namespace=" + Namespace,
		"--redis-url=" + o.RedisURL,
		"--listen=" + o.Listen,
		"--admin-listen=" + o.AdminListen,
	}
	for service, address := range o.ConnectTo {
		flags = append(flags, "--connect-to="+service+"="+address)
	}
	return append(flags, o.Flags...)
}

// readAudit returns a Writer for the receiver's stdout.
func (r *Receiver) readAudit(kept bool) (stdout io.Writer, closeFile func(), err error) {
	file, err := os.OpenFile(r.AuditPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the file for the audit log: %w", err)
	}
	closeFile = func() { _ = file.Close() }
	if !kept {
		return file, closeFile, nil
	}
	return io.MultiWriter(file, &lines{each: keep(r.Audit)}), closeFile, nil
}

// keep adds each line to a journal, also one that is no record: the test that waits
// for a record then shows what came instead.
func keep(journal *Journal[audit.Record]) func(line []byte) {
	return func(line []byte) {
		var record audit.Record
		if err := json.Unmarshal(line, &record); err != nil {
			record.ErrorMessage = fmt.Sprintf("not a line of JSON on stdout: %v: %s", err, line)
		}
		journal.Add(record)
	}
}
