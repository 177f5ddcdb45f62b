/**
 * How often values were copied from JavaScript into tensors or back since the process began. Work with such copies
 * cannot be captured: a read would have to wait for the device, and a replay would repeat the values of the capture.
 */
export const hostTraffic = { count: 0 };
