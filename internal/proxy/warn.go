package proxy

import (
	"net/http"
	"time"

	"sallyport/internal/authn"
)

// warnings are what a caller is told about a token that was good once more.
type warnings struct{ stale, legacy bool }

// What it is told: what to do.
const (
	staleText  = "your service account token should have been replaced: read the token file again, once a minute at least"
	legacyText = "your service account token is from a Secret and never ends: use a projected token for this service"
)

// set tells the caller in h. Kubernetes' clients print Warning headers by
// themselves (code 299; client-go, rest/warnings.go), and proxies may drop those,
// as RFC 9111 section 5.5 made them obsolete: so it is said in one of ours too.
func (w warnings) set(h http.Header, t *authn.Token) {
	if text := w.text(t); text != "" {
		h.Add("Warning", `299 sallyport "`+text+`"`)
		h.Set("Sallyport-Warning", text)
	}
}

func (w warnings) text(t *authn.Token) string {
	switch {
	case w.legacy && t.Legacy:
		return legacyText
	case w.stale && !t.WarnAfter.IsZero() && t.Stale(time.Now()):
		return staleText
	}
	return ""
}

// Warning is what the handler of these options tells the caller with that token
// beside the app's answer, "" where there is nothing to tell.
func Warning(o Options, t *authn.Token) string { return warnings{o.WarnStale, o.WarnLegacy}.text(t) }
