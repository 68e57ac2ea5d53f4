# cmake -D SOURCE=DIR -D OUTPUT=FILE -P commit.cmake: writes a header that defines XBUILD_COMMIT, if it would change.
#
# It runs at the beginning of each build, so that a program never names a commit that it was not built from; one
# small source file includes the header, so that ccache and unity batches lose nothing by it.
cmake_minimum_required(VERSION 3.25)

set(commit unknown)
find_program(GIT git)
if(GIT AND EXISTS ${SOURCE}/.git)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --short=12 HEAD
    OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    set(commit ${head})
    execute_process(COMMAND ${GIT} --no-optional-locks -C ${SOURCE} diff --quiet HEAD RESULT_VARIABLE changed
      OUTPUT_QUIET ERROR_QUIET)
    if(changed)
      string(APPEND commit +changes)
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#pragma once\n#define XBUILD_COMMIT \"@commit@\"\n" @ONLY)
