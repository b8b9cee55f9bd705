# SPDX-License-Identifier: MIT
# What is installed: libraries, headers, soq.pc and the CMake package. Both of the
# latter find the rest by where they lie themselves, so the whole may be moved.
include(CMakePackageConfigHelpers)

# Two sets, because only the static library asks its users for liburing.
install(TARGETS soq EXPORT soq-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS soq_static EXPORT soq-static-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
set_target_properties(soq_static PROPERTIES EXPORT_NAME static)
install(DIRECTORY include/soq DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

set(soq_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/soq)
foreach(set IN ITEMS soq-targets soq-static-targets)
  install(EXPORT ${set} NAMESPACE soq:: DESTINATION ${soq_package_dir})
endforeach()
configure_package_config_file(src/cmake/soq-config.cmake.in soq-config.cmake
  INSTALL_DESTINATION ${soq_package_dir} NO_SET_AND_CHECK_MACRO)
# Before 1.0 each minor version is an interface of its own.
set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
endif()
write_basic_package_version_file(${PROJECT_BINARY_DIR}/soq-config-version.cmake
  COMPATIBILITY ${compatibility})
install(FILES ${PROJECT_BINARY_DIR}/soq-config.cmake ${PROJECT_BINARY_DIR}/soq-config-version.cmake
  DESTINATION ${soq_package_dir})

# A folder that is absolute stays where it is; everything else moves with soq.pc.
file(RELATIVE_PATH up "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" up "${up}")
set(soq_pc_prefix "\${pcfiledir}/${up}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(soq_pc_prefix "${CMAKE_INSTALL_PREFIX}")
endif()
foreach(dir IN ITEMS LIBDIR INCLUDEDIR)
  string(TOLOWER soq_pc_${dir} variable)
  set(${variable} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
    set(${variable} "${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
set(soq_pc_requires "")
if(SOQ_URING)
  set(soq_pc_requires "liburing >= 2.3")
endif()
configure_file(src/cmake/soq.pc.in soq.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/soq.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
