#include "cmd/nested.h"

#include <algorithm>
#include <filesystem>

namespace stampede::cmd {
namespace {

namespace fs = std::filesystem;

// Without links; its end need not be there. No place can be told when the working directory is gone.
Result<fs::path> real_path(const std::string& path) {
  std::error_code error;
  fs::path real = fs::absolute(path, error);
  if (!error) real = fs::weakly_canonical(real, error);
  if (error) return Error{path + ": " + error.message()};
  return real;
}

}  // namespace

Result<bool> lies_in(const std::string& path, const std::string& directory) {
  const Result<fs::path> inner = real_path(path), outer = real_path(directory);
  if (!inner) return inner.error();
  if (!outer) return outer.error();
  return std::mismatch(outer->begin(), outer->end(), inner->begin(), inner->end()).first ==
         outer->end();
}

}  // namespace stampede::cmd
