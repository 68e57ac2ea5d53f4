// All processes below this one, in whatever session, group or state: for a subreaper, all that its children ever made.
#pragma once

#include <vector>

#include <sys/types.h>

namespace build::runs {

/// Those that live (zombies are left out), as /proc shows them at this moment.
std::vector<pid_t> descendants();

/// Stops them all, so that none can make another, then kills them. They are gone when they have been reaped; one that
/// the kernel cannot end at once goes later.
void kill_descendants();

/// Reaps children that have ended. `main` is reported through `status`; true if it was among them.
bool reap_children(pid_t main, int& status);

/// Whether there is any child, dead ones not yet reaped included.
bool has_children();

}  // namespace build::runs
