#include "cmd/input_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/words.h"

namespace stampede::cmd {
namespace {

// A file of its own directory, gone at the end.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& text) {
    char name[] = "/tmp/stampede-input-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/file";
    std::ofstream(path_) << text;
    set_mode(0600);
  }
  ~ScratchFile() { std::filesystem::remove_all(directory_); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  void set_mode(mode_t mode) const { REQUIRE(chmod(path_.c_str(), mode) == 0); }
  const std::string& path() const { return path_; }
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_, path_;
};

template <typename T>
std::string message_of(const Result<T>& result) {
  return result ? "accepted" : result.error().message;
}

TEST_SUITE("cmd/input_file") {
  TEST_CASE("a file is read to its last byte up to the bound and not beyond") {
    for (size_t size : {0, 1, 65'535, 65'536, 65'537, 200'000}) {
      const ScratchFile file(std::string(size, 'x'));
      const auto text = read_file(file.path(), size);
      REQUIRE(text);
      CHECK(*text == std::string(size, 'x'));
      if (size == 0) continue;
      CHECK(message_of(read_file(file.path(), size - 1)) ==
            file.path() + ": expected at most " + counted(size - 1, "byte"));
    }
  }

  TEST_CASE("a FIFO that nobody may ever write into is refused and not waited for") {
    const ScratchFile file("");
    const std::string fifo = file.directory() + "/fifo", link = file.directory() + "/link";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    REQUIRE(symlink(fifo.c_str(), link.c_str()) == 0);
    for (const std::string& path : {fifo, link}) {
      CHECK(message_of(read_file(path, 10)) == path + ": expected a file, not a FIFO");
      CHECK(message_of(read_private_file(path, 10)) == path + ": expected a file, not a FIFO");
    }
    int ends[2];  // as of a shell's <(command)
    REQUIRE(pipe(ends) == 0);
    REQUIRE(write(ends[1], "text", 4) == 4);
    close(ends[1]);
    CHECK(*read_file("/dev/fd/" + std::to_string(ends[0]), 10) == "text");
    close(ends[0]);
  }

  TEST_CASE("a private file that others may read or change is refused") {
    const ScratchFile file("secret");
    for (const mode_t mode : {0600, 0400, 0700}) {
      file.set_mode(mode);
      CHECK(message_of(read_private_file(file.path(), 10)) == "accepted");
    }
    for (const mode_t mode : {0604, 0602, 0601, 0660, 0620, 0644, 0666}) {
      file.set_mode(mode);
      CHECK(message_of(read_private_file(file.path(), 10)).find("chmod 600") != std::string::npos);
    }
  }

  TEST_CASE("what cannot be read is told with its path and the reason") {
    const ScratchFile file("text");
    CHECK(message_of(read_file(file.path() + "2", 10)) ==
          file.path() + "2: No such file or directory");
    CHECK(message_of(read_file(file.directory(), 10)) == file.directory() + ": Is a directory");
    CHECK(message_of(read_key_file(file.path() + "2")) ==
          file.path() + "2: No such file or directory");
    CHECK(message_of(read_key_file(file.directory())).starts_with(file.directory() + ": "));
  }

  TEST_CASE("a key file is read when only its owner may read it") {
    const ScratchFile file(door::make_key_file());
    for (mode_t mode : {0600, 0400}) {
      file.set_mode(mode);
      const auto keys = read_key_file(file.path());
      REQUIRE(keys);
      CHECK(keys->tickets.size() == 1);
    }
  }

  TEST_CASE("a key file that others may read is refused and what to do is said") {
    const ScratchFile file(door::make_key_file());
    for (mode_t mode : {0644, 0604, 0660, 0666}) {
      file.set_mode(mode);
      const std::string message = message_of(read_key_file(file.path()));
      CHECK(message.starts_with(file.path() + ": others than its owner may read or change it"));
      CHECK(message.find("chmod 600") != message.npos);
    }
    file.set_mode(0640);
    CHECK((message_of(read_key_file(file.path())) == "accepted") == (geteuid() == 0));
  }

  TEST_CASE("a broken key file is refused with its line") {
    const ScratchFile file("{\"tickets\":{\n\"k1\":\"12\"}}");
    CHECK(message_of(read_key_file(file.path())) ==
          file.path() + ":2: tickets.k1: expected a secret of 32 bytes as 64 hexadecimal digits");
  }
}

}  // namespace
}  // namespace stampede::cmd
