#include "cmd/backup_place.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "../orderlog/rig.h"
#include "base/check.h"
#include "cmd/nested.h"

namespace stampede::cmd {
namespace {

namespace fs = std::filesystem;

void write(const std::string& path) {
  std::ofstream(path) << "mine";
}

int code_of(const node::MayEnd& end) {
  return end ? end->exit_code : kExitOk;
}

// A data directory, and a folder for backups.
struct Ground {
  orderlog::ScratchDir scratch;
  std::string data = scratch.path() + "/data", to = scratch.path() + "/copy";
  std::string rest = to + ".unfinished";

  Ground() { fs::create_directory(data); }
};

TEST_SUITE("cmd/backup_place") {
  TEST_CASE("a backup takes a free name or an empty directory and leaves nothing beside it") {
    const Ground ground;
    SUBCASE("a free name") {}
    SUBCASE("an empty directory") {
      fs::create_directory(ground.to);
    }
    SUBCASE("with the rest of one that was killed") {
      BackupPlace killed(ground.to);
      REQUIRE_FALSE(killed.begin());
      write(ground.rest + "/half");
      fs::create_directories(ground.rest + "/log/g1");
    }
    SUBCASE("with the lock alone of one that was killed at once") {
      fs::create_directory(ground.rest);
      write(ground.rest + "/lock");
    }
    BackupPlace place(ground.to + "//");
    REQUIRE_FALSE(place.check(ground.data));
    REQUIRE_FALSE(place.begin());
    CHECK(place.unfinished() == ground.rest);
    CHECK_FALSE(fs::exists(ground.rest + "/half"));
    CHECK_FALSE(fs::exists(ground.rest + "/log"));
    write(ground.rest + "/manifest");
    REQUIRE(place.finish());
    CHECK_FALSE(fs::exists(ground.rest));
    CHECK(orderlog::list_directory(ground.to)->size() == 3);  // with . and ..
  }

  TEST_CASE("nothing is removed of what no backup has made") {
    const Ground ground;
    fs::create_directories(ground.rest + "/photos");
    write(ground.rest + "/photos/one");
    BackupPlace place(ground.to);
    CHECK(code_of(place.begin()) == kExitUsage);
    CHECK(fs::exists(ground.rest + "/photos/one"));
    CHECK_FALSE(fs::exists(ground.rest + "/lock"));
  }

  TEST_CASE("a link in the place of the rest is not followed") {
    const Ground ground;
    write(ground.data + "/made-by-backup");
    fs::create_directory_symlink(ground.data, ground.rest);
    CHECK(code_of(BackupPlace(ground.to).begin()) == kExitUsage);
    CHECK(fs::exists(ground.data + "/made-by-backup"));
  }

  TEST_CASE("what is copied lies neither in the place nor around it nor in its rest") {
    const Ground ground;
    const std::string link = ground.scratch.path() + "/link";
    fs::create_directory_symlink(ground.data, link);
    for (const std::string& to : {ground.data + "/copy", link + "/copy", ground.data})
      CHECK(code_of(BackupPlace(to).check(ground.data)) == kExitUsage);
    CHECK(code_of(BackupPlace(ground.to).check(ground.rest)) == kExitUsage);
    CHECK(code_of(BackupPlace(ground.to).check(ground.rest + "/data")) == kExitUsage);
    CHECK(code_of(BackupPlace(ground.to).check(ground.rest + "-data")) == kExitOk);
  }

  TEST_CASE("a place that cannot get the name is refused before anything is copied") {
    const Ground ground;
    const std::string link = ground.scratch.path() + "/link", file = ground.data + "/file";
    fs::create_directory(ground.to);
    fs::create_directory_symlink(ground.to, link);
    write(file);
    for (const std::string& to :
         {std::string("."), std::string(".."), std::string("/"), ground.to + "/.",
          ground.to + "/../", link, link + "/", std::string("/proc"), ground.data}) {
      CAPTURE(to);
      const node::MayEnd end = BackupPlace(to).check("/nowhere");
      REQUIRE(code_of(end) == kExitUsage);
      CHECK(end->message.starts_with("--to "));
    }
    CHECK(BackupPlace("/proc").check("/nowhere")->message.find("mount point") != std::string::npos);
  }

  TEST_CASE("a place that cannot be told is an error") {
    CHECK_FALSE(bool(lies_in("", "/")));
    CHECK_FALSE(bool(lies_in("/", "")));
  }
}

}  // namespace
}  // namespace stampede::cmd
