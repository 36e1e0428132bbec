#include "orderlog/files.h"

#include "rig.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace stampede::orderlog {
namespace {

std::string text_at(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_SUITE("orderlog/files") {
  TEST_CASE("a file is replaced as a whole and stays private") {
    const ScratchDir dir;
    const std::string path = dir.path() + "/facts";
    REQUIRE(replace_durably(path, "a first and longer text\n"));
    REQUIRE(replace_durably(path, "second\n"));
    CHECK(text_at(path) == "second\n");
    CHECK_FALSE(std::filesystem::exists(path + ".tmp"));
    struct stat status;
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }

  TEST_CASE("remains of a replacement that was not finished are no hindrance and no content") {
    const ScratchDir dir;
    const std::string path = dir.path() + "/facts";
    std::ofstream(path + ".tmp") << "half of a longer text that a crash has left";
    REQUIRE(replace_durably(path, "whole\n"));
    CHECK(text_at(path) == "whole\n");
  }

  TEST_CASE("a replacement does not write through a link and an old file outlives its failure") {
    const ScratchDir dir;
    const std::string path = dir.path() + "/facts";
    REQUIRE(replace_durably(path, "old\n"));
    std::ofstream(dir.path() + "/elsewhere") << "not ours";
    std::filesystem::create_symlink(dir.path() + "/elsewhere", path + ".tmp");
    const Status replaced = replace_durably(path, "new\n");
    REQUIRE_FALSE(replaced);
    CHECK(replaced.error().message.find("facts.tmp") != std::string::npos);
    CHECK(text_at(path) == "old\n");
    CHECK(text_at(dir.path() + "/elsewhere") == "not ours");
  }

  TEST_CASE("a device that takes no more bytes is an error") {
    std::byte byte{1};
    const File full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    REQUIRE(full.is_open());
    CHECK(write_all(full.fd(), 0, {&byte, 1}) == ENOSPC);
    const Status written = write_all(full, 0, {&byte, 1}, "/dev/full");
    REQUIRE_FALSE(written);
    CHECK(written.error().message == "write /dev/full: No space left on device");
  }
}

}  // namespace
}  // namespace stampede::orderlog
