package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

// The formats that need care: a table with more columns, and names line by line.
const (
	formatWide = "wide"
	formatName = "name"
)

// output is how a command prints what it has read: as a table for people, or as
// the objects themselves.
type output struct {
	format    string
	noHeaders bool
	printer   printers.ResourcePrinter // nil: for people
}

// addFlags defines -o and, for commands that print tables, --no-headers.
func (o *output) addFlags(cmd *cobra.Command, tables bool) {
	formats := []string{"json", "yaml", formatName, "jsonpath=...", "go-template=..."}
	if tables {
		formats = append([]string{formatWide}, formats...)
		cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "print no line with the names of the columns")
	}
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "`format`: "+strings.Join(formats, ", "))
	mustComplete(cmd, "output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	cmd.PreRunE = func(*cobra.Command, []string) error { return o.read(tables) }
}

// read makes the printer, before anything is asked of the cluster.
func (o *output) read(tables bool) error {
	if o.format == "" || o.format == formatWide && tables {
		return nil
	}
	flags := genericclioptions.NewPrintFlags("").WithTypeSetter(scheme)
	flags.OutputFormat = &o.format
	printer, err := flags.ToPrinter()
	if err != nil {
		return cli.Usagef("--output: %w", err)
	}
	o.printer = printer
	return nil
}

// object prints an object or a list by the printer that -o asked for.
func (o *output) object(w io.Writer, object runtime.Object) error {
	if meta.IsListType(object) {
		if err := meta.EachListItem(object, setKind); err != nil {
			return err
		}
	}
	if meta.IsListType(object) && o.format == formatName {
		return meta.EachListItem(object, func(item runtime.Object) error { return o.printer.PrintObj(item, w) })
	}
	return o.printer.PrintObj(object, w)
}

// setKind says in an object what it is: typed objects have that in their type.
func setKind(object runtime.Object) error {
	kind, err := apiutil.GVKForObject(object, scheme)
	if err == nil {
		object.GetObjectKind().SetGroupVersionKind(kind)
	}
	return err
}

// table is rows for people.
type table struct {
	columns []column
	rows    []metav1.TableRow
}

// column of a table.
type column struct {
	name string
	wide bool // only with -o wide
}

// columns reads names; those that begin with "+" are only for -o wide.
func columns(names ...string) []column {
	made := make([]column, len(names))
	for i, name := range names {
		made[i].name, made[i].wide = strings.CutPrefix(name, "+")
	}
	return made
}

// add adds a row. Texts may be what somebody else chose: they are made harmless.
func (t *table) add(cells ...any) {
	for i, cell := range cells {
		if text, ok := cell.(string); ok {
			cells[i] = human.OneLine(text)
		}
	}
	t.rows = append(t.rows, metav1.TableRow{Cells: cells})
}

// table prints a table for people.
func (o *output) table(w io.Writer, t *table) error {
	printed := &metav1.Table{Rows: t.rows}
	for _, c := range t.columns {
		definition := metav1.TableColumnDefinition{Name: c.name, Type: "string"}
		if c.wide {
			definition.Priority = 1
		}
		printed.ColumnDefinitions = append(printed.ColumnDefinitions, definition)
	}
	printer := printers.NewTablePrinter(printers.PrintOptions{Wide: o.format == formatWide, NoHeaders: o.noHeaders})
	return printer.PrintObj(printed, w)
}

// sayf tells people something, beside the answer.
func (a *app) sayf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.ErrOut, format+"\n", args...)
}

// printf prints the answer, or a part of it.
func (a *app) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.Out, format, args...)
}

// indented writes lines with two spaces before each.
type indented struct {
	w      io.Writer
	inLine bool
}

// Write implements io.Writer.
func (i *indented) Write(p []byte) (int, error) {
	var text strings.Builder
	for _, b := range p {
		if !i.inLine && b != '\n' {
			text.WriteString("  ")
		}
		text.WriteByte(b)
		i.inLine = b != '\n'
	}
	_, err := io.WriteString(i.w, text.String())
	return len(p), err
}
