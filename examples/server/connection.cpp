#include "connection.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

namespace server {
namespace {

bool peer_is(int fd, const std::string& address, int port) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return false;
  char text[INET6_ADDRSTRLEN] = "";
  if (peer.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&peer);
    return ntohs(in->sin_port) == port && inet_ntop(AF_INET, &in->sin_addr, text, sizeof text) && address == text;
  }
  if (peer.ss_family != AF_INET6) return false;
  const auto* in = reinterpret_cast<const sockaddr_in6*>(&peer);
  return ntohs(in->sin6_port) == port && inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text) && address == text;
}

}  // namespace

Connection::Connection(const std::string& address, int port) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (!folder) return;
  while (const dirent* entry = readdir(folder.get())) {
    const int fd = std::atoi(entry->d_name);
    if (fd > 2 && peer_is(fd, address, port)) {
      fd_ = fd;
      return;
    }
  }
}

bool Connection::gone() const {
  if (fd_ < 0) return false;
  char byte;
  const ssize_t n = recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

}  // namespace server
