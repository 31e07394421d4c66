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
	text := ""
	switch {
	case w.legacy && t.Legacy:
		text = legacyText
	case w.stale && !t.WarnAfter.IsZero() && t.Stale(time.Now()):
		text = staleText
	default:
		return
	}
	h.Add("Warning", `299 sallyport "`+text+`"`)
	h.Set("Sallyport-Warning", text)
}
