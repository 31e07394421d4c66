package box

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Folders that programs write to wherever they are told to work: containerd's
// and kubelet's state, CNI's cache, links to containers' logs.
var private = []string{"/run", "/var/lib", "/var/log"}

// settle is the life of the box's first process: it furnishes the box, starts
// the program, and waits for whatever has lost its parent, as the first process
// must. It returns the program's exit code; the kernel then ends all others.
func settle() (int, error) {
	if err := furnish(); err != nil {
		return 1, err
	}
	os.Setenv(stage, inside)
	program, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return 1, err
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 1, fmt.Errorf("wait: %w", err)
		case pid == program.Pid && status.Signaled():
			return 128 + int(status.Signal()), nil
		case pid == program.Pid:
			return status.ExitStatus(), nil
		}
	}
}

// furnish makes the mounts and the loopback interface of a new box.
func furnish() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, dir := range private {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mount on %s: %w", dir, err)
		}
	}
	if err := os.MkdirAll(filepath.Join("/run", "lock"), 0o755); err != nil {
		return err
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("loopback interface: %w: %s", err, out)
	}
	return nil
}
