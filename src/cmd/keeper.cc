#include "cmd/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/diag.h"
#include "cmd/hand_over.h"
#include "cmd/process.h"

namespace stampede::cmd {
namespace {

constexpr const char* kListenPid = "LISTEN_PID";
constexpr int kLookMs = 100;  // at a check that has not ended

class Keeping {
 public:
  Keeping(pid_t server, int channel, const sigset_t& signals)
      : server_(server), channel_(channel), signals_(signals) {
    sigaddset(&signals_, SIGCHLD);
    CHECK(sigprocmask(SIG_BLOCK, &signals_, nullptr) == 0);
    arrivals_ = ::signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK);
    CHECK(arrivals_ >= 0);
  }
  Keeping(const Keeping&) = delete;

  // Until the server has ended: its wait status.
  int run() {
    while (true) {
      await();
      signalfd_siginfo arrival{};
      while (::read(arrivals_, &arrival, sizeof arrival) == sizeof arrival)
        take(static_cast<int>(arrival.ssi_signo));
      if (hand_over_.is_checking()) look_at_check();
      if (const std::optional<int> status = end_of(server_)) return *status;
    }
  }

  // If the server left its sockets and no stop was asked for meanwhile, this process becomes the other binary's.
  void hand_over() {
    if (!sockets_ || !may_hand_over_) return;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_UNBLOCK, &child, nullptr);
    const Error error = hand_over_.leave_to_it(*sockets_);
    fatal(kExitFailure, "stopped, and nobody took over: %s", error.message.c_str());
  }

 private:
  void await() {
    pollfd entries[] = {{.fd = arrivals_, .events = POLLIN, .revents = 0},
                        {.fd = channel_, .events = POLLIN, .revents = 0}};
    if (::poll(entries, 2, hand_over_.is_checking() ? kLookMs : -1) <= 0) return;
    if (entries[1].revents != 0) receive();
  }

  // Once: the channel brings the sockets, or the server's end, and nothing more.
  void receive() {
    Result<net::PassedSockets> sockets = net::receive_sockets(channel_);
    if (sockets) sockets_ = std::move(*sockets);
    ::close(std::exchange(channel_, -1));
  }

  void take(int signal) {
    if (signal == SIGTERM || signal == SIGINT) may_hand_over_ = false;
    if (signal == SIGUSR2) {
      if (Status asked = hand_over_.begin_check(); !asked) log_refusal(asked.error());
    } else if (signal != SIGCHLD) {
      ::kill(server_, signal);
    }
  }

  void look_at_check() {
    const Result<HandOver::Answer> answer = hand_over_.look();
    if (!answer) return log_refusal(answer.error());
    if (*answer == HandOver::Answer::go_on) ::kill(server_, SIGUSR2);
  }

  const pid_t server_;
  int channel_;
  sigset_t signals_;
  int arrivals_ = -1;
  HandOver hand_over_;
  bool may_hand_over_ = true;  // no stop was asked for
  std::optional<net::PassedSockets> sockets_;
};

// As the server did.
[[noreturn]] void end_with_status(int status) {
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  ::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  ::raise(signal);
  _exit(128 + signal);  // the first process of a container outlives its own signal
}

// Its wait status, if no other binary follows it. A check that is under way ends too.
int keep_until_its_end(pid_t server, int channel, const sigset_t& signals) {
  Keeping keeping(server, channel, signals);
  const int status = keeping.run();
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitOk) keeping.hand_over();
  return status;
}

[[noreturn]] void keep(pid_t server, int channel, const sigset_t& signals) {
  prctl(PR_SET_NAME, "keeper", 0, 0, 0);
  // The sockets that were passed to this process are the server's.
  forget_predecessor();
  const auto number = static_cast<unsigned>(channel);
  ::close_range(STDERR_FILENO + 1, number - 1, 0);
  ::close_range(number + 1, ~0U, 0);
  (void)raise_descriptor_limit();
  end_with_status(keep_until_its_end(server, channel, signals));
}

// The server is another process than the one that the service manager has addressed.
void take_sockets_of_units_along(pid_t keeper) {
  const char* const addressed = std::getenv(kListenPid);
  if (addressed != nullptr && addressed == std::to_string(keeper))
    ::setenv(kListenPid, std::to_string(::getpid()).c_str(), 1);
}

}  // namespace

Keeper Keeper::split_off(const sigset_t& signals) {
  int ends[2];
  CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  const pid_t keeper = ::getpid();
  // The server may never look into the keeper's memory, whether or not it may leave a core file itself.
  const int is_open = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
  CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
  const pid_t server = ::fork();
  if (server < 0) fatal(kExitFailure, "--sandbox: fork: %s", std::strerror(errno));
  if (server > 0) {
    ::close(ends[1]);
    keep(server, ends[0], signals);
  }
  ::close(ends[0]);
  prctl(PR_SET_DUMPABLE, is_open, 0, 0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != keeper) _exit(kExitFailure);  // it has ended before it could be noticed
  take_sockets_of_units_along(keeper);
  return {keeper, ends[1]};
}

bool Keeper::has_sent(const siginfo_t& signal) const {
  return signal.si_pid == pid_;
}

Status Keeper::pass_on(const net::PassedSockets& sockets) const {
  return net::send_sockets(channel_, sockets);
}

}  // namespace stampede::cmd
