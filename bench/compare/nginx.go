package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// endless is how many requests a connection of nginx's is good for: its own 1,000
// would make every other proxy dial again and again.
const endless = 1_000_000_000

// frame is around every configuration of nginx's: in the foreground, all files in
// dir, no log.
func frame(dir string, workers int, http string) string {
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // else its workers may not read our files
	}
	return fmt.Sprintf(`daemon off; worker_processes %d; %s
pid %s/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; default_type text/plain;
  keepalive_requests %d; client_max_body_size 0;
  client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy; fastcgi_temp_path %[3]s/fastcgi;
  uwsgi_temp_path %[3]s/uwsgi; scgi_temp_path %[3]s/scgi;
%[5]s
}
`, workers, user, dir, endless, http)
}

// runNginx runs nginx with a configuration made from its address.
func (at *site) runNginx(ctx context.Context, name string, workers int, http func(addr, dir string) string) (*instance, error) {
	dir := at.file(name)
	if err := os.MkdirAll(filepath.Join(dir, "upload"), 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "nginx.conf")
	var failed error
	p, addr, err := at.launch(ctx, at.nginx, func(addr string) []string {
		failed = os.WriteFile(config, []byte(frame(dir, workers, http(addr, dir))), 0o600)
		return []string{"-p", dir, "-e", "stderr", "-c", config}
	})
	if failed != nil {
		err = failed
	}
	return &instance{Process: p, addr: addr}, err
}

// startApp starts what stands behind all proxies: nginx, or a lean program of ours.
func (at *site) startApp(ctx context.Context) error {
	if at.nginx == "" {
		_, addr, err := at.launch(ctx, at.tools.app, func(addr string) []string { return []string{"-listen=" + addr} })
		at.app = "http://" + addr
		return err
	}
	i, err := at.runNginx(ctx, "app", 1, func(addr, dir string) string {
		return fmt.Sprintf(`  server {
    listen %s;
    root %s;
    location = / { return 200 "a 19 byte answer..\n"; }
    location = /1KiB { }
    location = /1MiB { }
    location /upload/ { dav_methods PUT; client_body_buffer_size 1m; }
  }`, addr, dir)
	})
	if err != nil {
		return err
	}
	at.app = "http://" + i.addr
	for name, size := range map[string]int{"1KiB": 1 << 10, "1MiB": 1 << 20} {
		if err := os.WriteFile(filepath.Join(at.file("app"), name), make([]byte, size), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// startNginx starts nginx as a proxy that authenticates nobody, with a worker for
// each of two cores. What is uploaded goes on as it comes, as with all others.
func startNginx(ctx context.Context, at *site, s *scenario) (*instance, error) {
	return at.runNginx(ctx, "nginx", 2, func(addr, _ string) string {
		listen := map[listener]string{clear: addr, secure: addr + " ssl", h2: addr + " ssl http2", h2c: addr + " http2"}[s.listener]
		return fmt.Sprintf(`  upstream app { server %s; keepalive 256; keepalive_requests %d; }
  server {
    listen %s;
    ssl_certificate %s; ssl_certificate_key %s;
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header Authorization "";
      proxy_request_buffering off; proxy_max_temp_file_size 0;
    }
  }`, at.app[len("http://"):], endless, listen, at.cert, at.key)
	})
}
