// The service manager (systemd), as the server hears it and speaks to it: sockets that it has opened before, readiness, a state
// that `systemctl status` shows. Without one nothing is there and nothing is said.
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
void tell_starting(const std::string& how_far, bool goes_on);
void tell_ready();
// A reload begins (Type=notify-reload waits for its end) and ends: what was read, or why everything stays as it was.
void tell_reloading();
void tell_reloaded(const std::string& outcome);
void tell_stopping();
// The watchdog hears of the process once a second.
void tell_alive();

}  // namespace stampede::cmd
