// Package platform has what simulated viewers need of the operating system:
// non-blocking sockets, epoll, processor time and the limit of open files. Only Linux
// has them; elsewhere NewPoller returns an error.
package platform
