// `stampede version`: the versions that an operator quotes in a report. Those of libraries are read at run
// time where the library has a function for it, because that is the one which misbehaves; liburing and
// libsystemd have none, so the file is named.
#include <dlfcn.h>
#include <simdjson.h>
#include <sodium.h>
#include <sqlite3.h>
#include <xxhash.h>

#include <boost/version.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/check.h"
#include "cmd/flags.h"

// jemalloc's; absent in sanitizer builds, whose allocator is their own.
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old, size_t* old_bytes, void* fresh,
                                     size_t fresh_bytes);

namespace stampede::cmd {
namespace {

std::string jemalloc_version() {
  const char* version = nullptr;
  size_t bytes = sizeof version;
  if (mallctl == nullptr || mallctl("version", &version, &bytes, nullptr, 0) != 0)
    return "not in this build";
  const std::string_view text = version;  // 5.3.0-0-g54eaed1d8b56…
  return std::string(text.substr(0, text.find('-')));
}

// The name of the file that a function came from, such as liburing.so.2.3.
std::string file_of(const char* function) {
  Dl_info info;
  void* symbol = dlsym(RTLD_DEFAULT, function);
  if (symbol == nullptr || dladdr(symbol, &info) == 0) return "not in this build";
  const std::unique_ptr<char, void (*)(void*)> resolved(realpath(info.dli_fname, nullptr),
                                                        &std::free);
  const std::string path = resolved ? resolved.get() : info.dli_fname;
  return path.substr(path.rfind('/') + 1);
}

std::string dotted(unsigned major, unsigned minor, unsigned patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::string xxhash_version() {
  const unsigned number = XXH_versionNumber();
  return dotted(number / 10000, number / 100 % 100, number % 100);
}

void print(const char* name, const std::string& value) {
  std::printf("%-10s %s\n", name, value.c_str());
}

int run() {
  print("stampede", STAMPEDE_VERSION);
  print("commit", STAMPEDE_COMMIT);
  print("compiler", "g++ " __VERSION__);
  print("liburing", file_of("io_uring_queue_init_params"));
  print("jemalloc", jemalloc_version());
  print("Boost", dotted(BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100));
  print("simdjson", dotted(simdjson::SIMDJSON_VERSION_MAJOR, simdjson::SIMDJSON_VERSION_MINOR,
                           simdjson::SIMDJSON_VERSION_REVISION));
  print("xxHash", xxhash_version());
  print("libsodium", sodium_version_string());
  print("SQLite", sqlite3_libversion());
  print("libsystemd", file_of("sd_notify"));
  print("CLI11", flag_library_version());
  return kExitOk;
}

}  // namespace

Command version() {
  return {.name = "stampede version",
          .summary = "version, commit, compiler and linked libraries",
          .about = "Prints version, commit, compiler and linked libraries.",
          .run = run};
}

const char* version_text() {
  return STAMPEDE_VERSION;
}

}  // namespace stampede::cmd
