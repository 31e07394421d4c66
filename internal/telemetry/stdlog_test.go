package telemetry

import (
	"bytes"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// TestStdLogQuotesNothing has net/http's transport meet an app that says more
// than it was asked.
func TestStdLogQuotesNothing(t *testing.T) {
	said := make(chan string, 10)
	log, _, err := NewLogger("debug", "json", writer(func(p []byte) { said <- string(p) }))
	if err != nil {
		t.Fatal(err)
	}
	flags := stdlog.Flags()
	BridgeStdLog(log)
	t.Cleanup(func() { stdlog.SetFlags(flags); stdlog.SetOutput(os.Stderr) })

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	read := make(chan struct{})
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.Read(make([]byte, 4096))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		<-read // the connection is idle now
		io.WriteString(c, "s3cr3t")
		c.Read(make([]byte, 1))
	}()
	client := http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	close(read)
	select {
	case line := <-said:
		if !strings.Contains(line, `"level":"warn"`) || !strings.Contains(line, "Unsolicited response") || strings.Contains(line, "s3cr3t") {
			t.Error(line)
		}
	case <-time.After(5 * time.Second):
		t.Error("net/http says nothing")
	}
}

func TestStdLog(t *testing.T) {
	var out bytes.Buffer
	log, _, err := NewLogger("info", "json", &out)
	if err != nil {
		t.Fatal(err)
	}
	std := StdLog(log, zap.InfoLevel)
	std.Printf("http: %s: %q", "a", "b")
	std.Print(strings.Repeat("SiGnAtUrE-_0", 8))
	for _, want := range []string{`"level":"info"`, `"msg":"http: a:"`, `"msg":"[...]"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, &out)
		}
	}
	StdLog(log, zap.DebugLevel).Print("quiet")
	if strings.Contains(out.String(), "quiet") {
		t.Error(out.String())
	}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}
