// What a shared library shows: everything else is hidden.
#pragma once

#define TARUTIL_API __attribute__((visibility("default")))
