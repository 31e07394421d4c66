package proxy

import (
	"io"
	"net/http"
	"sync"
)

// copyBody writes an answer's body. Whatever the app sends goes out at once, first
// of all the header: the app knows why it flushed. But what is here already, to the
// end, goes out together.
func copyBody(w http.ResponseWriter, body io.Reader) error {
	if body == http.NoBody {
		return nil
	}
	here, ok := body.(interface{ IsHere() bool })
	flushes := !ok || !here.IsHere()
	flush := http.NewResponseController(w).Flush
	if flushes {
		_ = flush() // whoever cannot flush does not hold anything back
	}
	buf := buffers.Get()
	defer buffers.Put(buf)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil // the handler's end flushes
		}
		if flushes {
			_ = flush() // the next write fails too
		}
		if err != nil {
			return err
		}
	}
}

// noGuess, as an answer's Content-Type, keeps net/http from making one up where the
// app says none: a page that somebody else wrote would become one of HTML.
var noGuess []string

// bufferSize is what ReverseProxy would allocate for each answer.
const bufferSize = 32 << 10

// A bufferPool is a pool of arrays behind pointers, as a slice's header would
// be allocated each time.
type bufferPool struct{ pool sync.Pool }

var buffers = bufferPool{sync.Pool{New: func() any { return new([bufferSize]byte) }}}

// Get implements httputil.BufferPool.
func (b *bufferPool) Get() []byte { return b.pool.Get().(*[bufferSize]byte)[:] }

// Put implements httputil.BufferPool.
func (b *bufferPool) Put(s []byte) { b.pool.Put((*[bufferSize]byte)(s)) }
