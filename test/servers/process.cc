#include "process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "scratch.h"

namespace stampede::servers {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Waits for input; false when the deadline passes first.
bool is_readable(int fd, Clock::time_point deadline) {
  auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
  pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, static_cast<int>(std::max<int64_t>(left, 0))) > 0;
}

[[noreturn]] void become(std::vector<char*>& argv, int stdout_fd, int stderr_fd,
                         const std::function<void()>& prepare) {
  // Tests end with their servers, even when they end badly.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(stdout_fd, STDOUT_FILENO);
  dup2(stderr_fd, STDERR_FILENO);
  if (prepare) prepare();
  execvp(argv[0], argv.data());
  _exit(127);
}

}  // namespace

Process::Process(const Arguments& command, const std::string& stderr_path,
                 const std::function<void()>& prepare) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  int stderr_fd = open(stderr_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  REQUIRE(stderr_fd >= 0);
  std::vector<char*> argv;
  for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // A signal that comes before the program is there must end the child, not be reported by the test's own handler in it.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_ = fork();
  if (pid_ == 0) {
    for (const int number : {SIGTERM, SIGINT, SIGSEGV, SIGABRT, SIGFPE, SIGILL})
      ::signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    become(argv, ends[1], stderr_fd, prepare);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  REQUIRE(pid_ >= 0);
  close(ends[1]);
  close(stderr_fd);
  stdout_fd_ = ends[0];
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  REQUIRE(pidfd_ >= 0);
}

Process::~Process() {
  signal(SIGKILL);
  signal(SIGCONT);
  wait(std::chrono::seconds{30});
  close(pidfd_);
  close(stdout_fd_);
}

void Process::signal(int number) {
  if (!exit_code_) kill(pid_, number);
}

std::optional<int> Process::wait(milliseconds patience) {
  if (exit_code_) return exit_code_;
  if (!is_readable(pidfd_, Clock::now() + patience)) return std::nullopt;
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_code_;
}

std::optional<std::string> Process::read_line(milliseconds patience) {
  auto deadline = Clock::now() + patience;
  while (true) {
    if (size_t end = output_.find('\n'); end != std::string::npos) {
      std::string line = output_.substr(0, end);
      output_.erase(0, end + 1);
      return line;
    }
    char bytes[64 * 1024];
    if (!is_readable(stdout_fd_, deadline)) return std::nullopt;
    ssize_t n = read(stdout_fd_, bytes, sizeof bytes);
    if (n <= 0) return output_.empty() ? std::nullopt : std::optional(std::exchange(output_, ""));
    output_.append(bytes, n);
  }
}

Finished run(const Arguments& command, milliseconds patience) {
  Scratch scratch;
  Finished finished;
  Process process(command, scratch.path("stderr"));
  auto deadline = Clock::now() + patience;
  auto left = [&] { return std::chrono::ceil<milliseconds>(deadline - Clock::now()); };
  while (auto line = process.read_line(left())) finished.out += *line + '\n';
  if (auto code = process.wait(left())) finished.exit_code = *code;
  finished.err = read_file(scratch.path("stderr"));
  return finished;
}

bool is_installed(const std::string& command) {
  return run({"sh", "-c", "command -v " + command}).exit_code == 0;
}

}  // namespace stampede::servers
