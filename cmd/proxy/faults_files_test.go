package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sallyport/internal/minicluster"
)

// tokenFileFaults are those of our own token.
func tokenFileFaults() group {
	const stays = "cannot use the own token's file: the last good token stays in use"
	row := func(name string, breaks func(b *broken, path string), todo string) fault {
		return fault{name: name, noticed: true,
			breaks: func(b *broken) {
				must(b.t, os.Remove(b.kubelet.Path()))
				breaks(b, b.kubelet.Path())
			},
			mends: func(b *broken) {
				must(b.t, os.RemoveAll(b.kubelet.Path()))
				must(b.t, b.kubelet.RotateNow())
			},
			known: now("200"), new: now("200"), ready: "yes",
			metric: "sallyport_own_token_read_errors_total", log: stays, again: atOnce, todo: todo}
	}
	holds := func(content func(*broken) string) func(*broken, string) {
		return func(b *broken, path string) { must(b.t, os.WriteFile(path, []byte(content(b)), 0o600)) }
	}
	is := func(content string) func(*broken, string) { return holds(func(*broken) string { return content }) }
	const kubelet = "look at the kubelet; there is as long as the last token lives"
	missing := row("missing at our start", nil, "its volume, and the path in `--token-file`")
	missing.born, missing.before = true, func(b *broken) []string { return []string{"--token-file=" + filepath.Join(b.dir, "late")} }
	missing.breaks = func(*broken) {}
	missing.mends = func(b *broken) {
		token, err := os.ReadFile(b.kubelet.Path())
		must(b.t, err)
		must(b.t, os.WriteFile(filepath.Join(b.dir, "late"), token, 0o600))
	}
	missing.known, missing.new, missing.ready = expect{}, now("503"), "no"
	missing.log, missing.again = "no own token yet: waiting for its file", recovery
	late := row("late: issued 55 min ago, good for 5 more", holds(func(b *broken) string {
		claims, err := b.cluster.Claims(minicluster.Request{Namespace: "gate", ServiceAccount: "gate", Pod: "gate-0"})
		must(b.t, err)
		claims["iat"], claims["exp"] = time.Now().Add(-55*time.Minute).Unix(), time.Now().Add(5*time.Minute).Unix()
		token, err := b.cluster.Sign(nil, claims)
		must(b.t, err)
		return token
	}), "look at the kubelet; there are minutes")
	late.metric, late.log = "sallyport_own_token_rotations_total", "own token is late: the kubelet should have replaced it by now"
	expired := func(name string, ready string, args ...string) fault {
		f := row(name, holds(func(b *broken) string {
			token, err := b.cluster.Token(minicluster.Request{Namespace: "gate", ServiceAccount: "gate", Pod: "gate-0", TTL: -2 * time.Minute})
			must(b.t, err)
			return token
		}), "restart the kubelet; look at the other sources of the volume")
		f.args, f.overdue, f.new, f.ready, f.again = args, true, now("503"), ready, recovery
		f.metric, f.log = `sallyport_tokenreviews_total{result="unauthorized"}`, "own token has outlived its lifetime and was not replaced"
		return f
	}
	return group{
		title: "Our own token's file",
		intro: "The last good token stays in use. What [tokens.md](tokens.md#rotation) says, tried.",
		args:  []string{"--recheck=1s"},
		rows: []fault{
			missing,
			row("deleted", func(*broken, string) {}, kubelet),
			row("empty", is(""), kubelet),
			row("torn", holds(func(b *broken) string { t := b.token(); return t[:len(t)/2] }), kubelet),
			row("torn within the signature", func(b *broken, path string) {
				token, err := os.ReadFile(filepath.Join(filepath.Dir(path), "..data", "token"))
				must(b.t, err)
				must(b.t, os.WriteFile(path, token[:len(token)-40], 0o600))
			}, kubelet),
			row("not a JWT", is("hello"), "something else writes there: look at the volume"),
			row("1 MB long", is(strings.Repeat("x", 1<<20)), "something else writes there: look at the volume"),
			row("unreadable (a folder)", func(b *broken, path string) { must(b.t, os.Mkdir(path, 0o700)) }, "the path in `--token-file`, and [file permissions](tokens.md#file-permissions)"),
			row("unreadable (links in a circle)", func(b *broken, path string) { must(b.t, os.Symlink(path, path)) }, "look at the volume"),
			row("a pipe that nobody writes to", func(b *broken, path string) { must(b.t, syscall.Mkfifo(path, 0o600)) }, "something else writes there: look at the volume"),
			late,
			expired("expired: the kubelet is stuck", "yes"),
			expired("expired for longer than `--max-stale`", "no", "--max-stale=1m"),
		},
	}
}
