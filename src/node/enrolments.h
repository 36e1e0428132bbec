// The lists of users that items are sold to, read from their files: at a start, and again on SIGHUP.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/hash.h"
#include "base/result.h"
#include "door/enrolment.h"

namespace stampede::node {

// Each file once, all of them or none; a relative name counts from `dir`. The error names the file, and the line that is wrong.
[[nodiscard]] Result<std::shared_ptr<const door::Enrolments>> read_enrolments(
    const std::set<std::string>& files, const std::string& dir, const HashKey& key);

}  // namespace stampede::node
