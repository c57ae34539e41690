/* SPDX-License-Identifier: MIT */
/* hdf5_writer FILE WRITES: each rank writes its half of a data set WRITES times, has it synced,
 * reads it back, and leaves a note. */
#include <hdf5.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUES 32768

int main(int count, char **arguments) {
  int rank, size;
  if (count != 3)
    return 2;
  MPI_Init(&count, &arguments);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), collective = H5Pcreate(H5P_DATASET_XFER);
  H5Pset_fapl_mpio(access, MPI_COMM_WORLD, MPI_INFO_NULL);
  H5Pset_dxpl_mpio(collective, H5FD_MPIO_INDEPENDENT);
  hid_t file = H5Fcreate(arguments[1], H5F_ACC_TRUNC, H5P_DEFAULT, access);
  hsize_t part = VALUES, whole = part * (hsize_t)size, start = part * (hsize_t)rank;
  hid_t in_file = H5Screate_simple(1, &whole, NULL), in_memory = H5Screate_simple(1, &part, NULL);
  hid_t field = H5Dcreate2(file, "field", H5T_NATIVE_DOUBLE, in_file, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Sselect_hyperslab(in_file, H5S_SELECT_SET, &start, NULL, &part, NULL);
  double *values = calloc(VALUES, sizeof(*values));
  for (int i = 0; i < atoi(arguments[2]); i++)
    H5Dwrite(field, H5T_NATIVE_DOUBLE, in_memory, in_file, collective, values);
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  H5Dread(field, H5T_NATIVE_DOUBLE, in_memory, in_file, collective, values);
  H5Dclose(field);
  H5Fclose(file);
  char name[4096];
  snprintf(name, sizeof(name), "%s.%d", arguments[1], rank);
  FILE *note = fopen(name, "w");
  fwrite(values, sizeof(*values), 100, note);
  fclose(note);
  MPI_Finalize();
  return 0;
}
