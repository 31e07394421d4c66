package scenarios

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sallyport/e2e/box"
	"sallyport/e2e/cluster"
	"sallyport/e2e/failures"
)

// What a box is for, and the environment variables that tell it.
const (
	roleVariable   = "SALLYPORT_E2E_ROLE"
	folderVariable = "SALLYPORT_E2E_FOLDER"
	imagesVariable = "SALLYPORT_E2E_IMAGES"
)

const (
	builder = "images" // builds the images
	host    = "own"    // a cluster, and the tests that may break it
	lender  = "user"   // a cluster for tests that get nothing but its kubeconfig
)

// A site is this run's folder on the machine.
type site struct {
	dir    string
	images string // the folder that the builder leaves the images in
	out    sync.Mutex
	failed map[string]*failures.Output // by role, where a box did not end well
}

// runOutside makes what needs this machine's network, runs the tests in boxes,
// and cleans up behind them.
func runOutside(ctx context.Context) (code int, err error) {
	began := time.Now()
	tests, err := chosen(ctx)
	if err != nil {
		return 1, err
	}
	if len(tests) == 0 {
		return 1, errors.New("no test has such a name")
	}
	if err := prepare(ctx); err != nil {
		return 1, err
	}
	tell("programs", began)
	dir, err := os.MkdirTemp("", "sallyport-e2e-")
	if err != nil {
		return 1, err
	}
	s := &site{dir: dir, failed: map[string]*failures.Output{}}
	defer func() { err = errors.Join(err, removed(box.Remove(s.images, "")), os.Remove(s.images)) }()
	if code, err := s.box(builder); code != 0 || err != nil {
		return code, err
	}
	tell("images", began)
	code, err = s.clusters(tests)
	for role, said := range s.failed {
		said.Say(os.Stdout, role)
	}
	tell("all", began)
	return code, err
}

// clusters runs the tests on the clusters that they need, beside each other.
func (s *site) clusters(tests map[kind][]string) (code int, err error) {
	var boxes sync.WaitGroup
	var mu sync.Mutex
	begin := func(role string, tests []string) {
		if len(tests) == 0 {
			return
		}
		boxes.Go(func() {
			c, e := s.box(role, "-test.run="+only(tests))
			mu.Lock()
			defer mu.Unlock()
			code, err = max(code, c), errors.Join(err, e)
		})
	}
	begin(host, tests[own])
	begin(lender, append(tests[anywhere], tests[slowly]...))
	boxes.Wait()
	return code, err
}

// box runs this program in a box, with a folder of its own below the run's of
// which the logs are kept.
func (s *site) box(role string, args ...string) (code int, err error) {
	dir, err := os.MkdirTemp(s.dir, role+"-")
	if err != nil {
		return 1, err
	}
	if role == builder {
		s.images = dir
	} else {
		fmt.Printf("%s's logs: %s\n", role, filepath.Join(dir, cluster.Logs))
		defer func() { err = errors.Join(err, removed(box.Remove(dir, cluster.Logs))) }()
	}
	reader, writer := io.Pipe()
	said := &failures.Output{}
	var copied sync.WaitGroup
	copied.Go(func() { s.say(role, reader, said) })
	code, err = box.Box{
		Dir:  dir,
		Args: append(append([]string{}, os.Args[1:]...), args...),
		Env:  []string{roleVariable + "=" + role, folderVariable + "=" + dir, imagesVariable + "=" + s.images},
		Out:  writer,
	}.Run()
	writer.Close()
	copied.Wait()
	if code != 0 {
		s.out.Lock()
		defer s.out.Unlock()
		s.failed[role] = said
	}
	return code, err
}

// say writes each line with where it is from, and keeps it.
func (s *site) say(role string, from io.Reader, said *failures.Output) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20) // longer than any line of go test
	for lines.Scan() {
		said.Add(lines.Text())
		s.out.Lock()
		fmt.Printf("%-6s| %s\n", role, lines.Text())
		s.out.Unlock()
	}
	io.Copy(io.Discard, from) // nobody must wait for us
}

func removed(err error) error {
	if err != nil {
		err = fmt.Errorf("left behind: %w", err)
	}
	return err
}
