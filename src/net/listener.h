// Listening sockets: one per shard on the same port (SO_REUSEPORT), so that the kernel deals
// connections out and no shard waits for another to accept.
//
// SO_REUSEPORT alone would let a second server of the same user bind the port too, and the kernel
// would give each half of the clients. So the first socket is bound without it, which fails with
// "Address already in use" if anybody is there, and is opened to its siblings only then.
#pragma once

#include <vector>

#include "net/address.h"
#include "net/net.h"

namespace stampede::net {

// Opens `count` listeners at an address, non-blocking and close-on-exec; Nagle's delay is off and
// accepted sockets inherit that. With port 0 the first takes a free port and the others join it. A
// Unix socket has no SO_REUSEPORT: its count must be 1; a file left there by a dead server is
// removed, one of a living server is an error. The error names the address and the cause, and
// nothing stays open.
Result<std::vector<Socket>> open_listeners(const Address& address, unsigned count);

// Whether it can succeed once nobody else is there, as far as that can be seen without listening; the error is the same.
[[nodiscard]] Status check_address(const Address& address);

// The same for a socket that somebody else has opened and passed on (systemd): checks that it
// listens for a stream.
Result<Socket> adopt_listener(Socket socket);

// Whether two listeners cannot have these addresses side by side: the same, or one of them takes all clients of its port. [::] takes
// those of IPv4 too; port 0 is another each time.
[[nodiscard]] bool collide(const Address& one, const Address& other);

// Descriptors of listeners that somebody else has opened, at least `count`, themselves the first: whoever accepts takes from the
// queue of one of them. Such a listener is its opener's, and so is the file of a Unix socket.
Result<std::vector<Socket>> share_listeners(std::vector<Socket> listeners, unsigned count);
// Further descriptors of the same listeners, which keep them open when these are closed.
Result<std::vector<Socket>> keep_listeners(const std::vector<Socket>& listeners);
// Closes those that nobody takes over after all.
void drop_listeners(const std::vector<Socket>& listeners);

// Where a listener is bound, with the port that the kernel chose.
[[nodiscard]] Address address_of(Socket listener);

// Removes the file of a Unix socket at a clean stop; nothing for other addresses.
void remove_socket_file(const Address& address);

}  // namespace stampede::net
