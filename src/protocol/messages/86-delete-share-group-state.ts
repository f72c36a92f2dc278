import { api, list } from '../schema.ts'

export const DeleteShareGroupState = api(86, 'DeleteShareGroupState', '0', '0+', {
  request: {
    groupId:                       'string',
    topics: list({
      topicId:                     'uuid',
      partitions: list({
        partition:                 'int32',
      }),
    }),
  },
  response: {
    results: list({
      topicId:                     'uuid',
      partitions: list({
        partition:                 'int32',
        errorCode:                 'int16',
        errorMessage:              'string? = null',
      }),
    }),
  },
})
