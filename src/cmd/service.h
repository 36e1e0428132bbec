// The service manager (systemd): the sockets that it has opened for the server; the server's notices to it (readiness, a state
// that `systemctl status` shows, signs of life). Without a service manager there are no sockets, and notices do nothing.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "net/passed_sockets.h"

namespace stampede::cmd {

// Listeners of socket units, by FileDescriptorName= `listen` and `admin`; without names the first is the public one. A socket
// of another name, or one that does not listen for streams, is an Error. Once, before anything else opens a file.
[[nodiscard]] Result<net::PassedSockets> take_sockets_of_units();

// Once a second while the data is opened: how far it is; with `goes_on` the start is given another minute.
void notify_starting(const std::string& how_far, bool goes_on);
void notify_ready();
// A reload begins (Type=notify-reload waits for its end) and ends. `outcome`: the files that were read, or why everything stays
// as it was.
void notify_reloading();
void notify_reloaded(const std::string& outcome);
void notify_stopping();
// For the watchdog, once a second.
void notify_alive();

}  // namespace stampede::cmd
