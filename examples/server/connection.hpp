// Whether the client of a request is still there: cpp-httplib does not tell while a request is being answered.
#pragma once

#include <string>

namespace server {

class Connection {
 public:
  // The connection of this process whose other end is this address.
  Connection(const std::string& address, int port);
  // True if the other end has closed it.
  bool gone() const;

 private:
  int fd_ = -1;
};

}  // namespace server
