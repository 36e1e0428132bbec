#include "node/enrolments.h"

#include <filesystem>
#include <utility>

#include "base/input_file.h"

namespace stampede::node {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 30;

}  // namespace

Result<std::shared_ptr<const door::Enrolments>> read_enrolments(const std::set<std::string>& files,
                                                                const std::string& dir,
                                                                const HashKey& key) {
  auto enrolments = std::make_shared<door::Enrolments>();
  for (const std::string& file : files) {
    const std::string path = (std::filesystem::path(dir) / file).string();
    const Result<std::string> text = read_file(path, kFileBytesMax);
    if (!text) return text.error();
    Result<door::UserSet> users = door::UserSet::parse(*text, path, key);
    if (!users) return users.error();
    enrolments->emplace(file, std::make_shared<const door::UserSet>(std::move(*users)));
  }
  return std::shared_ptr<const door::Enrolments>(std::move(enrolments));
}

}  // namespace stampede::node
