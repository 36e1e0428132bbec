// Ports on 127.0.0.1 for servers that will be stopped and started again in the same place.
#pragma once

#include <cstdint>

namespace stampede::servers {

// A port that nobody listens on, below those that the kernel gives to outgoing connections (32768 and
// above): while a server of ours is down, no client can be given its port, nor connect to itself
// there. No port is returned twice by one process. Another process may still take it before it is
// bound, so that who binds it looks whether he could. Any thread.
uint16_t free_port();

// A TCP socket that listens on 127.0.0.1:port, not blocking; −1 if the port is taken.
int listen_on(uint16_t port);

}  // namespace stampede::servers
