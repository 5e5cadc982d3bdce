package networktest

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

const (
	deviceName = "tun0"
	mtu        = 1500 // the kernel's default
)

// openDevice makes a TUN device in the namespace of this thread, and gives it an address.
// Reads and writes of the file are IP packets.
func openDevice(addr netip.Addr) (*os.File, error) {
	const path = "/dev/net/tun"
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	request, err := unix.NewIfreq(deviceName)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err == nil {
		err = setUp(addr)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// setUp sets the address of the device, and enables it and the loopback interface.
func setUp(addr netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	if err := setAddress(fd, unix.SIOCSIFADDR, addr.AsSlice()); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if err := setAddress(fd, unix.SIOCSIFNETMASK, []byte{255, 0, 0, 0}); err != nil {
		return fmt.Errorf("netmask: %w", err)
	}
	for _, name := range []string{"lo", deviceName} {
		request, err := unix.NewIfreq(name)
		if err == nil {
			request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
			err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// setAddress sets an address of the device.
func setAddress(fd int, what uint, addr []byte) error {
	request, err := unix.NewIfreq(deviceName)
	if err == nil {
		err = request.SetInet4Addr(addr)
	}
	if err == nil {
		err = unix.IoctlIfreq(fd, what, request)
	}
	return err
}
