#include "cmd/hand_over.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/input_file.h"
#include "cmd/process.h"

namespace stampede::cmd {
namespace {

constexpr const char* kVariable = "STAMPEDE_SOCKETS";
constexpr const char* kOfCheck = "STAMPEDE_TAKES_OVER";
constexpr int64_t kCheckNsMax = 60 * kSecond;
constexpr int kCheckNice = 10;
constexpr size_t kArgumentBytesMax = 1024 * 1024;

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Each ends with a NUL (proc(5)).
std::vector<std::string> arguments_of(std::string_view text) {
  std::vector<std::string> arguments;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\0'), text.size());
    arguments.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return arguments;
}

// Of a check: this process's, and that listeners will be passed on.
std::vector<char*> environment_of_check(std::string& word) {
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable)
    environment.push_back(*variable);
  word = std::string(kOfCheck) + "=1";
  environment.push_back(word.data());
  environment.push_back(nullptr);
  return environment;
}

// Signals as they were before this process took them for itself.
Result<pid_t> start(const std::string& binary, const std::vector<std::string>& arguments,
                    int output) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  CHECK(posix_spawn_file_actions_init(&files) == 0);
  CHECK(posix_spawnattr_init(&attributes) == 0);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  for (const int number : {STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_adddup2(&files, output, number);
  pid_t child = 0;
  std::string word;
  const int error = posix_spawn(&child, binary.c_str(), &files, &attributes,
                                pointers_to(arguments).data(), environment_of_check(word).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return Error{binary + ": " + std::strerror(error)};
  return child;
}

// The name by which this process was started: a link in it leads to another binary by now, where a deployment has turned it. Empty
// when it was a descriptor's (fexecve(3)), behind which nothing is ever replaced.
std::string name_of_start() {
  const auto* const name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  if (name == nullptr) return "";
  std::error_code gone;  // the working directory
  const std::string path = std::filesystem::absolute(name, gone).string();
  return path.starts_with("/proc/") || path.starts_with("/dev/fd/") ? "" : path;
}

// Where this process' binary was when it began. A package may have put another there since, and then Linux marks the name.
std::string path_of_own_binary() {
  constexpr std::string_view kReplaced = " (deleted)";
  std::error_code none;
  std::string path = std::filesystem::read_symlink("/proc/self/exe", none).string();
  if (path.ends_with(kReplaced) && !std::filesystem::exists(path, none))
    path.erase(path.size() - kReplaced.size());
  return path;
}

}  // namespace

Result<net::PassedSockets> take_sockets_of_predecessor() {
  const char* const number = std::getenv(kVariable);
  if (number == nullptr) return net::PassedSockets{};
  const std::string_view text = number;
  int file = -1;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), file);
  const bool is_sound = code == std::errc{} && end == text.data() + text.size() && file > 2;
  forget_predecessor();
  if (!is_sound)
    return Error{std::string(kVariable) + ": only a server that hands over may set it"};
  return net::take_over(file);
}

void forget_predecessor() {
  ::unsetenv(kVariable);
}

bool is_check_of_heir() {
  return std::getenv(kOfCheck) != nullptr;
}

void log_refusal(const Error& why) {
  diag::warning("not handed over, selling goes on: %s", why.message.c_str());
}

HandOver::HandOver() : binary_(name_of_start()) {
  if (binary_.empty()) binary_ = path_of_own_binary();
  if (const Result<std::string> text = read_file("/proc/self/cmdline", kArgumentBytesMax); text)
    arguments_ = arguments_of(*text);
}

HandOver::~HandOver() {
  if (is_checking()) end_check();
}

Status HandOver::begin_check() {
  if (is_checking()) return Ok{};
  if (binary_.empty() || arguments_.empty()) return Error{"/proc is not mounted"};
  output_ = ::memfd_create("stampede-check", MFD_CLOEXEC);
  if (output_ < 0) return Error{std::string("memfd_create: ") + std::strerror(errno)};
  std::vector<std::string> arguments = arguments_;
  arguments.emplace_back("--check");
  const Result<pid_t> child = start(binary_, arguments, output_);
  if (!child) {
    ::close(std::exchange(output_, -1));
    return child.error();
  }
  child_ = *child;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(child_), kCheckNice);  // selling goes first
  give_up_ns_ = SystemClock().now().boot_ns + kCheckNsMax;
  return Ok{};
}

Result<HandOver::Answer> HandOver::look() {
  CHECK(is_checking());
  if (const std::optional<int> status = end_of(child_)) {
    child_ = 0;
    const std::string said = complaint();
    end_check();
    if (WIFEXITED(*status) && WEXITSTATUS(*status) == kExitOk) return Answer::go_on;
    return Error{said};
  }
  if (SystemClock().now().boot_ns < give_up_ns_) return Answer::none;
  end_check();
  return Error{"its check has not ended within a minute"};
}

// Its last line.
std::string HandOver::complaint() const {
  char bytes[4096];
  const off_t size = ::lseek(output_, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(sizeof bytes));
  const ssize_t read = ::pread(output_, bytes, sizeof bytes, from);
  if (read <= 0) return "its check failed without a word";
  std::string_view text(bytes, static_cast<size_t>(read));
  while (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

void HandOver::end_check() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  child_ = 0;
  ::close(std::exchange(output_, -1));
}

Error HandOver::leave_to_it(const net::PassedSockets& sockets) {
  const Result<int> file = net::pass_on(sockets);
  if (!file) return file.error();
  ::setenv(kVariable, std::to_string(*file).c_str(), 1);
  ::execv(binary_.c_str(), pointers_to(arguments_).data());
  return {binary_ + ": " + std::strerror(errno)};
}

}  // namespace stampede::cmd
