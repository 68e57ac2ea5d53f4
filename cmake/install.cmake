# Installing libraries, so that find_package(xbuild COMPONENTS name) finds them (xbuild-config.cmake).

set(XBUILD_PACKAGE_PLACE ${CMAKE_INSTALL_LIBDIR}/cmake/xbuild)

# For what people need who link a library: installed only when asked for (cmake --install build/release --component
# libraries), as who wants a farm wants programs; but if one library is all that was built, it is wanted.
set(XBUILD_LIBRARIES COMPONENT libraries EXCLUDE_FROM_ALL)
if(XBUILD_ONLY)
  set(XBUILD_LIBRARIES COMPONENT libraries)
endif()

# What must be loaded and found before `name` can be linked, in properties XBUILD_PARTS_<name> (with itself, lowest
# first) and XBUILD_PACKAGES_<name>.
function(xbuild_collect name)
  set(parts "")
  set(packages "")
  foreach(link IN LISTS ARGN)
    if(link MATCHES "^xbuild::(.*)$")
      get_property(parts_below GLOBAL PROPERTY XBUILD_PARTS_${CMAKE_MATCH_1})
      get_property(packages_below GLOBAL PROPERTY XBUILD_PACKAGES_${CMAKE_MATCH_1})
      if(NOT parts_below)
        message(FATAL_ERROR "${name} uses ${link}, which is not declared before it")
      endif()
      list(APPEND parts ${parts_below})
      list(APPEND packages ${packages_below})
    else()
      get_property(find GLOBAL PROPERTY XBUILD_FIND_${link})
      if(NOT find)
        message(FATAL_ERROR "${name} uses ${link}: cmake/packages.cmake has to say how its users find that")
      endif()
      list(APPEND packages ${find})
    endif()
  endforeach()
  list(APPEND parts ${name})
  list(REMOVE_DUPLICATES parts)
  list(REMOVE_DUPLICATES packages)
  set_property(GLOBAL PROPERTY XBUILD_PARTS_${name} "${parts}")
  set_property(GLOBAL PROPERTY XBUILD_PACKAGES_${name} "${packages}")
endfunction()

# xbuild_install_part(target name published USES ... PRIVATE ...): the library, its headers, and for find_package() its
# target and what that stands on.
function(xbuild_install_part target name published)
  cmake_parse_arguments(PART "" "" "USES;PRIVATE" ${ARGN})
  get_target_property(type ${target} TYPE)
  set(archives ${CMAKE_INSTALL_LIBDIR}/xbuild)
  if(published)
    set(archives ${CMAKE_INSTALL_LIBDIR})
  endif()
  if(type STREQUAL "SHARED_LIBRARY")
    # It knows by itself what else it needs, but for our own libraries, whose places CMake wants to know.
    list(FILTER PART_PRIVATE INCLUDE REGEX "^xbuild::")
    # The programs need it, too.
    install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT programs NAMELINK_SKIP)
  endif()
  xbuild_collect(${name} ${PART_USES} ${PART_PRIVATE})
  get_property(parts GLOBAL PROPERTY XBUILD_PARTS_${name})
  get_property(packages GLOBAL PROPERTY XBUILD_PACKAGES_${name})
  file(CONFIGURE OUTPUT ${name}.cmake CONTENT "set(parts \"@parts@\")\nset(packages \"@packages@\")\n" @ONLY)

  install(TARGETS ${target} EXPORT xbuild-${name} ${XBUILD_LIBRARIES}
    ARCHIVE DESTINATION ${archives}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xbuild)
  install(EXPORT xbuild-${name} NAMESPACE xbuild:: FILE ${name}-targets.cmake
    DESTINATION ${XBUILD_PACKAGE_PLACE}/parts ${XBUILD_LIBRARIES})
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.cmake DESTINATION ${XBUILD_PACKAGE_PLACE}/parts ${XBUILD_LIBRARIES})
endfunction()

function(xbuild_install_package)
  include(CMakePackageConfigHelpers)
  write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/xbuild-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_SOURCE_DIR}/cmake/xbuild-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/xbuild-config-version.cmake
    DESTINATION ${XBUILD_PACKAGE_PLACE} ${XBUILD_LIBRARIES})
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/cmake/find DESTINATION ${XBUILD_PACKAGE_PLACE} ${XBUILD_LIBRARIES})
endfunction()
