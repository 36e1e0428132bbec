// Sockets that another process has opened: the service manager's listeners, or all that a server leaves to the one that takes its
// place (cmd/hand_over.h). A descriptor survives execve(2); what belongs to it stands in a file in memory, whose number is in the
// environment:
//
//   stampede sockets 1
//   since 81234567890              boot clock, ns: nobody has been answered since then
//   listen 7                       a line for each descriptor
//   admin 9
//   files 1 0                      whether the file of the public and of the operators' Unix socket is the servers' own, which
//                                  the last one removes, and not the service manager's
//   public 21 0                    a connection, and how many bytes of its input were read and not used yet
//   operator 22 17
//
//   GET /v1/time HTTP…             those bytes, in the order of the lines
//
// A connection is passed on only when nothing is owed on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/net.h"

namespace stampede::net {

struct PassedConnection {
  Socket socket = kNoSocket;
  bool is_public = true;  // or the operators' listener had accepted it
  std::string input;      // what had been read of it
};

struct PassedSockets {
  std::vector<Socket> listen, admin;  // empty: the server opens its own
  std::vector<PassedConnection> connections;
  bool owns_listen = false,
       owns_admin = false;  // a server has opened them, and not the service manager
  int64_t since_ns = 0;     // of a server whose place is taken; 0: there was none

  [[nodiscard]] bool is_hand_over() const { return since_ns != 0; }
};

[[nodiscard]] std::string text_of(const PassedSockets& sockets);
[[nodiscard]] Result<PassedSockets> parse_passed_sockets(std::string_view text);

// Writes them to a file in memory and lets all of them, and the file, survive execve(2). Returns the file's descriptor.
[[nodiscard]] Result<int> pass_on(const PassedSockets& sockets);
// Behind execve(2): reads and closes the file; from then on the sockets end with this process again.
[[nodiscard]] Result<PassedSockets> take_over(int file);

// To another process and from it, through a pair of SOCK_SEQPACKET: the file, then the descriptors in the order of its lines, some
// at a time, each message answered by a byte. Who receives has them under numbers of its own. Both wait for the other; what one
// that ends meanwhile leaves is an Error.
[[nodiscard]] Status send_sockets(int channel, const PassedSockets& sockets);
[[nodiscard]] Result<PassedSockets> receive_sockets(int channel);

}  // namespace stampede::net
