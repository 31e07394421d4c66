package inspect

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sallyport/internal/span"
)

// column is where the values begin.
const column = 16

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	t := &table{}
	fmt.Fprintf(&t.b, "%s\n\n", words[r.Kind])
	if r.Refused != "" {
		t.row("refused", "by sallyport serve, whoever it is from: "+r.Refused)
	}
	t.row("signature", r.Signature.Text)
	if r.File != nil {
		r.fileRows(t)
	}
	if r.Kind != Unreadable {
		r.claimRows(t)
	}
	r.headerRow(t)
	for i, f := range r.Findings {
		if i == 0 {
			t.b.WriteString("\nWorth knowing\n")
		}
		fmt.Fprintf(&t.b, "  - %s\n", safe(f.Text))
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

type table struct{ b strings.Builder }

// row writes a name and its values, one a line.
func (t *table) row(name string, values ...string) {
	for _, v := range values {
		fmt.Fprintf(&t.b, "%-*s%s\n", column, name, safe(v))
		name = ""
	}
}

func (t *table) time(name string, at, now time.Time) {
	if !at.IsZero() {
		t.row(name, at.UTC().Format(time.DateTime)+" UTC, "+span.Relative(at, now))
	}
}

func (r *Report) fileRows(t *table) {
	f := r.File
	t.row("file", f.Path, fmt.Sprintf("mode %s, user %d, group %d", f.Mode, f.User, f.Group))
	if f.Data != "" {
		t.row("", "..data -> "+f.Data)
	}
	t.time("written", f.Written, r.now)
}

func (r *Report) claimRows(t *table) {
	t.row("who", orNone(r.Subject)...)
	if r.Kind == Legacy && len(r.Audiences) == 0 {
		t.row("for", "the API server, as it names no audience")
	} else {
		t.row("for", orNone(r.Audiences...)...)
	}
	t.row("from", orNone(r.Issuer)...)
	for _, o := range r.Bound {
		if o.UID != "" {
			o.Name += ", uid " + o.UID
		}
		t.row(shorter(o.Kind), o.Name)
	}
	t.time("issued", r.Issued, r.now)
	if !r.NotBefore.Equal(r.Issued) {
		t.time("not before", r.NotBefore, r.now)
	}
	r.renewalRow(t)
	t.time("warn after", r.WarnAfter, r.now)
	t.time("expires", r.Expires, r.now)
	if r.Expires.IsZero() {
		t.row("expires", "never")
	}
	r.otherRows(t)
}

func (r *Report) renewalRow(t *table) {
	if r.Renewal.IsZero() {
		return
	}
	t.time("renewal", r.Renewal, r.now)
	t.row("", "by the kubelet, if this is the token of a volume: up to 10 s sooner, and in the file within 90 s")
}

// shown are the claims that have rows of their own, and shownToo those within
// kubernetes.io.
var (
	shown    = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "kubernetes.io"}
	shownToo = []string{"namespace", "serviceaccount", "pod", "secret", "node", "warnafter", "validatingwebhookconfiguration", "mutatingwebhookconfiguration"}
)

func (r *Report) otherRows(t *table) {
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		if !slices.Contains(shown, name) && !strings.HasPrefix(name, legacyPrefix) {
			t.row("claim", name+": "+compact(r.Claims[name]))
		}
	}
	k, _ := r.Claims["kubernetes.io"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(k)) {
		if !slices.Contains(shownToo, name) {
			t.row("claim", "kubernetes.io."+name+": "+compact(k[name]))
		}
	}
}

func (r *Report) headerRow(t *table) {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		list = append(list, name+" "+compact(r.Header[name]))
	}
	if len(list) > 0 {
		t.row("header", strings.Join(list, ", "))
	}
	t.row("length", fmt.Sprintf("%d bytes", r.Bytes))
}

func compact(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "(not shown)"
	}
	return string(b)
}

func orNone(values ...string) []string {
	if len(values) == 0 || values[0] == "" {
		return []string{"(nothing)"}
	}
	return values
}

func shorter(kind string) string {
	if strings.HasSuffix(kind, "webhookconfiguration") {
		return "webhook"
	}
	return kind
}

// safe makes what somebody else wrote fit for a terminal.
func safe(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsGraphic(c) || c == unicode.ReplacementChar }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}
