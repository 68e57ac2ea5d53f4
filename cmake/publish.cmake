# What makes a library one that others can take alone: hidden names, a shared form, a pkg-config file.

# For a target with sources: only what its export.h marks, and only names of the library's namespace, can be seen in its
# shared form.
function(xbuild_publish target name)
  set_target_properties(${target} PROPERTIES
    # Static, it may become part of somebody's shared library.
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    VERSION ${PROJECT_VERSION}
    # Before 1.0 each minor version may break what was linked with another.
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    INSTALL_RPATH $ORIGIN)
  # The compiler gives code that it makes from the standard library's templates the visibility of that library.
  string(LENGTH ${name} length)
  set(own ${length}${name})
  file(CONFIGURE OUTPUT ${name}.map @ONLY CONTENT
    "{ global: _ZN@own@*; _ZNK@own@*; _ZTIN@own@*; _ZTSN@own@*; _ZTVN@own@*; local: *; };\n")
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "SHARED_LIBRARY")
    target_link_options(${target} PRIVATE LINKER:--version-script=${CMAKE_CURRENT_BINARY_DIR}/${name}.map)
    set_target_properties(${target} PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/${name}.map)
  endif()
endfunction()

# xbuild_pkg_config(target name description USES ... PRIVATE ...): NAME.pc. What a shared library uses concerns only
# the linker, by way of the library itself; users of a static one have to link it as well, whether or not they think of
# pkg-config's --static.
function(xbuild_pkg_config target name description)
  cmake_parse_arguments(PC "" "" "USES;PRIVATE" ${ARGN})
  get_target_property(type ${target} TYPE)
  if(NOT type STREQUAL "SHARED_LIBRARY")
    list(APPEND PC_USES ${PC_PRIVATE})
    set(PC_PRIVATE "")
  endif()
  foreach(kind USES PRIVATE)
    set(modules_${kind} "")
    set(flags_${kind} "")
    foreach(link IN LISTS PC_${kind})
      if(link MATCHES "^xbuild::(.*)$")
        list(APPEND modules_${kind} "${CMAKE_MATCH_1} = ${PROJECT_VERSION}")
        continue()
      endif()
      get_property(module GLOBAL PROPERTY XBUILD_MODULE_${link})
      get_property(flag GLOBAL PROPERTY XBUILD_FLAG_${link})
      if(NOT module AND NOT flag)
        message(FATAL_ERROR "${name} is published and uses ${link}: cmake/packages.cmake has to know its pkg-config module")
      endif()
      list(APPEND modules_${kind} ${module})
      list(APPEND flags_${kind} ${flag})
    endforeach()
    string(JOIN ", " modules_${kind} ${modules_${kind}})
    string(JOIN " " flags_${kind} ${flags_${kind}})
  endforeach()
  # Relative to the file, so that a prefix given on installing, or moved later, is right.
  set(place ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  file(RELATIVE_PATH up /${place} /)
  string(REGEX REPLACE "/$" "" up ${up})
  file(CONFIGURE OUTPUT ${name}.pc @ONLY CONTENT [[
prefix=${pcfiledir}/@up@
libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@/xbuild

Name: @name@
Description: @description@
Version: @PROJECT_VERSION@
Requires: @modules_USES@
Requires.private: @modules_PRIVATE@
Cflags: -I${includedir}
Libs: -L${libdir} -l@name@ @flags_USES@
Libs.private: @flags_PRIVATE@
]])
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${place} ${XBUILD_LIBRARIES})
endfunction()
