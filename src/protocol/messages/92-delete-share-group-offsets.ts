import { api, list } from '../schema.ts'

export const DeleteShareGroupOffsets = api(92, 'DeleteShareGroupOffsets', '0', '0+', {
  request: {
    groupId:                       'string @groupId',
    topics: list({
      topicName:                   'string @topicName',
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string? = null',
    responses: list({
      topicName:                   'string @topicName',
      topicId:                     'uuid',
      errorCode:                   'int16',
      errorMessage:                'string? = null',
    }),
  },
})
